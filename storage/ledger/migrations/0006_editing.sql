-- Versions of transcripts, notes on recordings, and links that show one recording to whoever has them.

-- The first version, the engine's, gets its row with the second one.
CREATE TABLE versions (
    job_id VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    stored_as VARCHAR NOT NULL,
    made_by VARCHAR NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    note VARCHAR NOT NULL,
    changed INTEGER NOT NULL
);

CREATE TABLE notes (
    id VARCHAR PRIMARY KEY,
    job_id VARCHAR NOT NULL,
    at_s DOUBLE,
    text VARCHAR NOT NULL,
    made_by VARCHAR NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    changed_at TIMESTAMPTZ
);

CREATE TABLE shares (
    id VARCHAR PRIMARY KEY,
    job_id VARCHAR NOT NULL,
    token_sha256 VARCHAR NOT NULL,
    password_hash VARCHAR,
    made_by VARCHAR NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    opened BIGINT NOT NULL DEFAULT 0,
    last_opened_at TIMESTAMPTZ
);
