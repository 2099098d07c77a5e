-- Tags and metadata of the recordings of a batch, which their jobs have.

ALTER TABLE batch_items ADD COLUMN tags VARCHAR[];
ALTER TABLE batch_items ADD COLUMN metadata VARCHAR DEFAULT '';

CREATE OR REPLACE VIEW batch_item_rows AS
SELECT batch_id, number, source, batch_items.name AS name, batch_items.options AS options, tries, download_id, job_id,
    batch_items.error_code AS error_code, batch_items.error AS error,
    CASE WHEN job_id IS NULL THEN batch_items.state
        WHEN jobs.id IS NULL OR jobs.deleted_at IS NOT NULL THEN 'deleted' ELSE jobs.state END AS state,
    batch_items.tags AS tags, batch_items.metadata AS metadata
FROM batch_items LEFT JOIN jobs ON jobs.id = job_id;
