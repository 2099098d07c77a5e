-- What was asked with an idempotency key, to refuse the same key with other options; null for older keys.

ALTER TABLE job_keys ADD COLUMN asked_sha256 VARCHAR;
