-- Each worker, or machine of workers, may have a token of its own, which an administrator can revoke.

CREATE TABLE worker_tokens (
    id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    prefix VARCHAR NOT NULL,
    secret_sha256 VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ
);
