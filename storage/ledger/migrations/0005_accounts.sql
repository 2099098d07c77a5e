-- Profiles, quotas, single-use links, accounts elsewhere, hours heard a month, and mails to send.

ALTER TABLE users ADD COLUMN display_name VARCHAR;
ALTER TABLE users ADD COLUMN email VARCHAR;
ALTER TABLE users ADD COLUMN quota_hours DOUBLE;
ALTER TABLE users ADD COLUMN quota_bytes BIGINT;
ALTER TABLE users ADD COLUMN leaving BOOLEAN DEFAULT FALSE;

-- What storage.records.User is made of, in its order; who is leaving is there until all of theirs is gone.
CREATE VIEW user_rows AS
SELECT id, name_key, name, role, disabled, must_change_password, created_at, display_name, email, quota_hours,
    quota_bytes
FROM users;

-- Into a new account, or (with user_id) to a new password.
CREATE TABLE invitations (
    id VARCHAR PRIMARY KEY,
    token_sha256 VARCHAR NOT NULL,
    user_id VARCHAR,
    role VARCHAR NOT NULL,
    email VARCHAR,
    made_by VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_by VARCHAR,
    ended_at TIMESTAMPTZ
);

-- Who somebody is at an OpenID provider.
CREATE TABLE identities (
    issuer VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    user_id VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (issuer, subject)
);

-- Counted when a job completes, so that deleting it gives no hours back.
CREATE TABLE usage (
    user_id VARCHAR NOT NULL,
    month VARCHAR NOT NULL,
    heard_s DOUBLE NOT NULL,
    PRIMARY KEY (user_id, month)
);

INSERT INTO usage (user_id, month, heard_s)
SELECT owner_id, strftime(finished_at, '%Y-%m'), sum(duration_s) FROM jobs
WHERE state = 'completed' AND duration_s IS NOT NULL AND finished_at IS NOT NULL GROUP BY ALL;

-- Mails about finished jobs: one for each end that an attempt comes to.
CREATE TABLE mails (
    job_id VARCHAR NOT NULL,
    attempt INTEGER NOT NULL,
    state VARCHAR NOT NULL,
    tries INTEGER NOT NULL,
    due_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (job_id, attempt, state)
);
