-- Comments on passages with their replies, and highlights, as kinds of notes; summaries of transcripts.

ALTER TABLE notes ADD COLUMN end_s DOUBLE;
ALTER TABLE notes ADD COLUMN quote VARCHAR DEFAULT '';
ALTER TABLE notes ADD COLUMN parent VARCHAR;
ALTER TABLE notes ADD COLUMN colour VARCHAR;
ALTER TABLE notes ADD COLUMN resolved_at TIMESTAMPTZ;
ALTER TABLE notes ADD COLUMN resolved_by VARCHAR;
ALTER TABLE notes ADD COLUMN seen_at TIMESTAMPTZ;

CREATE TABLE summaries (
    job_id VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    stored_as VARCHAR NOT NULL,
    made_by VARCHAR NOT NULL,
    made_at TIMESTAMPTZ NOT NULL
);
