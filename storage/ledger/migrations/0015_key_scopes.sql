-- API keys have scopes, an expiry, networks, a monthly quota and an overlap of two secrets; their use is counted.
-- Keys from before keep all rights of their users.

ALTER TABLE api_keys ADD COLUMN scopes VARCHAR DEFAULT 'read write delete batch admin';
ALTER TABLE api_keys ADD COLUMN expires_at TIMESTAMPTZ;
ALTER TABLE api_keys ADD COLUMN networks VARCHAR DEFAULT '';
ALTER TABLE api_keys ADD COLUMN quota_hours DOUBLE;
ALTER TABLE api_keys ADD COLUMN previous_sha256 VARCHAR;
ALTER TABLE api_keys ADD COLUMN previous_until TIMESTAMPTZ;

CREATE VIEW api_key_rows AS
SELECT id, user_id, name, prefix, created_at, last_used_at, revoked_at, scopes, expires_at, networks, quota_hours,
    previous_until
FROM api_keys;

CREATE TABLE api_key_usage (
    key_id VARCHAR NOT NULL,
    month VARCHAR NOT NULL,
    requests BIGINT NOT NULL DEFAULT 0,
    recordings BIGINT NOT NULL DEFAULT 0,
    heard_s DOUBLE NOT NULL DEFAULT 0,
    PRIMARY KEY (key_id, month)
);

-- Which key sent a recording, until the job is purged.
CREATE TABLE jobs_by_key (
    job_id VARCHAR PRIMARY KEY,
    key_id VARCHAR NOT NULL
);
