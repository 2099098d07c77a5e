-- Corrected texts that get their times from the sound, by a flow run on the gpu pool.

CREATE TABLE alignments (
    id VARCHAR PRIMARY KEY,
    job_id VARCHAR NOT NULL,
    base INTEGER NOT NULL,
    state VARCHAR NOT NULL,
    progress DOUBLE NOT NULL,
    detail VARCHAR NOT NULL,
    made_by VARCHAR NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    flow_run_id VARCHAR,
    version INTEGER
);
