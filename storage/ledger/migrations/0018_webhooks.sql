-- Webhooks: where events are sent, what is due, and how each attempt went. The secrets are not here: they are derived
-- from a file in the data dir; `secret_mark` is the hash of the present one.

CREATE TABLE webhooks (
    id VARCHAR PRIMARY KEY,
    user_id VARCHAR NOT NULL,
    url VARCHAR NOT NULL,
    events VARCHAR NOT NULL,
    everybody BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    generation INTEGER NOT NULL,
    secret_mark VARCHAR NOT NULL,
    previous_until TIMESTAMPTZ,
    enabled BOOLEAN NOT NULL,
    disabled_because VARCHAR,
    failing_since TIMESTAMPTZ,
    notice_tries INTEGER NOT NULL,
    notice_due_at TIMESTAMPTZ
);

-- `job_id` and `occasion` (the attempt or the version) make an event one row for each webhook; tests have neither.
CREATE TABLE webhook_deliveries (
    id VARCHAR PRIMARY KEY,
    webhook_id VARCHAR NOT NULL,
    event VARCHAR NOT NULL,
    job_id VARCHAR,
    occasion INTEGER,
    body VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    state VARCHAR NOT NULL,
    tries INTEGER NOT NULL,
    due_at TIMESTAMPTZ,
    attempts INTEGER NOT NULL,
    sent_at TIMESTAMPTZ,
    duration_ms INTEGER,
    status INTEGER,
    error VARCHAR,
    UNIQUE (webhook_id, event, job_id, occasion)
);

CREATE TABLE webhook_attempts (
    delivery_id VARCHAR NOT NULL,
    sent_at TIMESTAMPTZ NOT NULL,
    duration_ms INTEGER NOT NULL,
    status INTEGER,
    error VARCHAR
);
