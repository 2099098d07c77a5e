-- How long recordings and their parts are kept, and what must not be deleted.

CREATE TABLE retention_rules (
    kind VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    part VARCHAR NOT NULL,
    days DOUBLE,
    made_by VARCHAR NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (kind, subject, part)
);

CREATE TABLE holds (
    kind VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    made_by VARCHAR NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (kind, subject)
);

CREATE TABLE dropped_parts (
    job_id VARCHAR NOT NULL,
    part VARCHAR NOT NULL,
    dropped_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (job_id, part)
);

CREATE VIEW held_jobs AS
SELECT jobs.id, holds.reason FROM jobs JOIN holds ON
    (holds.kind = 'job' AND holds.subject = jobs.id)
    OR (holds.kind = 'person' AND holds.subject = jobs.owner_id)
    OR (holds.kind = 'tag' AND list_contains(string_split(jobs.tags, ','), holds.subject));
