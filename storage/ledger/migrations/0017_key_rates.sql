-- API keys can have a rate of their own.

ALTER TABLE api_keys ADD COLUMN requests_per_hour INTEGER;

CREATE OR REPLACE VIEW api_key_rows AS
SELECT id, user_id, name, prefix, created_at, last_used_at, revoked_at, scopes, expires_at, networks, quota_hours,
    previous_until, requests_per_hour
FROM api_keys;
