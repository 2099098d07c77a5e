-- Accounts that may read or edit a recording of somebody else's.

CREATE TABLE collaborators (
    job_id VARCHAR NOT NULL,
    user_id VARCHAR NOT NULL,
    may_edit BOOLEAN NOT NULL,
    made_by VARCHAR NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (job_id, user_id)
);
