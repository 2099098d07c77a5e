-- Batches of recordings that the platform gets by itself, from addresses and paths: an item each.

CREATE TABLE batches (
    id VARCHAR PRIMARY KEY,
    owner_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    lane VARCHAR NOT NULL,
    api_key_id VARCHAR,
    key VARCHAR,
    asked_sha256 VARCHAR NOT NULL,
    total INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    cancelled_at TIMESTAMPTZ,
    asked_by VARCHAR,
    retry_at TIMESTAMPTZ
);
CREATE TABLE batch_items (
    batch_id VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    source VARCHAR NOT NULL,
    name VARCHAR,
    options VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    tries INTEGER NOT NULL,
    download_id VARCHAR,
    job_id VARCHAR,
    error_code VARCHAR,
    error VARCHAR
);

CREATE VIEW batch_item_rows AS
SELECT batch_id, number, source, batch_items.name AS name, batch_items.options AS options, tries, download_id, job_id,
    batch_items.error_code AS error_code, batch_items.error AS error,
    CASE WHEN job_id IS NULL THEN batch_items.state
        WHEN jobs.id IS NULL OR jobs.deleted_at IS NOT NULL THEN 'deleted' ELSE jobs.state END AS state
FROM batch_items LEFT JOIN jobs ON jobs.id = job_id;
