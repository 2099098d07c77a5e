-- Events for Prefect that are not sent yet, and the batches whose end was told; those that ended before are not told.

CREATE TABLE prefect_events (
    id VARCHAR PRIMARY KEY,
    body VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE batch_ends (batch_id VARCHAR NOT NULL);
INSERT INTO batch_ends
SELECT id FROM batches WHERE id NOT IN (
    SELECT batch_id FROM batch_item_rows WHERE state NOT IN ('completed', 'failed', 'cancelled', 'deleted')
);
