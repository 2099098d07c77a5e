-- Users, sessions, keys, jobs with their spans and transcripts, reports, audit, settings.
-- No foreign keys and no secondary indexes: see docs/decisions/0001.

CREATE TABLE users (
    id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    name_key VARCHAR NOT NULL,
    password_hash VARCHAR NOT NULL,
    role VARCHAR NOT NULL CHECK (role IN ('admin', 'member', 'reader')),
    disabled BOOLEAN NOT NULL,
    must_change_password BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE login_tries (
    id VARCHAR NOT NULL,
    name_key VARCHAR NOT NULL,
    client VARCHAR NOT NULL,
    tried_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE sessions (
    id VARCHAR PRIMARY KEY,
    user_id VARCHAR NOT NULL,
    token_sha256 VARCHAR NOT NULL,
    client VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE api_keys (
    id VARCHAR PRIMARY KEY,
    user_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    prefix VARCHAR NOT NULL,
    secret_sha256 VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ
);

CREATE TABLE jobs (
    id VARCHAR PRIMARY KEY,
    owner_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    media_sha256 VARCHAR NOT NULL,
    media_bytes BIGINT NOT NULL,
    state VARCHAR NOT NULL CHECK (state IN
        ('queued', 'ingesting', 'transcribing', 'exporting', 'completed', 'failed', 'cancelled')),
    lane VARCHAR NOT NULL CHECK (lane IN ('interactive', 'batch', 'backfill')),
    options JSON NOT NULL,
    attempt INTEGER NOT NULL,
    version INTEGER NOT NULL,
    crashes INTEGER NOT NULL DEFAULT 0,
    duration_s DOUBLE,
    speech_s DOUBLE,
    done_s DOUBLE NOT NULL DEFAULT 0,
    detail VARCHAR NOT NULL DEFAULT '',
    error VARCHAR,
    error_code VARCHAR,
    model VARCHAR,
    fingerprint VARCHAR,
    language VARCHAR,
    language_probability DOUBLE,
    given_up JSON NOT NULL DEFAULT '[]',
    flow_run_id VARCHAR,
    manifest_state VARCHAR,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    submitted_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ,
    finished_at TIMESTAMPTZ
);

-- What storage.records.Job is made of; column names are field names.
CREATE VIEW job_rows AS
SELECT id, owner_id, name, media_sha256, media_bytes, state, lane, options, attempt, version, duration_s, speech_s,
    done_s, detail, error, error_code, model, fingerprint, language, given_up, flow_run_id, created_at, updated_at,
    started_at, finished_at
FROM jobs;

CREATE TABLE job_keys (
    owner_id VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    job_id VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (owner_id, key)
);

CREATE TABLE spans (
    job_id VARCHAR NOT NULL,
    idx INTEGER NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    speech_s DOUBLE NOT NULL,
    samples_sha256 VARCHAR NOT NULL,
    live_s DOUBLE NOT NULL DEFAULT 0,
    result VARCHAR,
    worker VARCHAR,
    engine_s DOUBLE,
    reused BOOLEAN NOT NULL DEFAULT FALSE
);

-- `head` is the whole transcript but for its segments, as storage.records describes it.
CREATE TABLE transcripts (
    job_id VARCHAR PRIMARY KEY,
    stored_as VARCHAR NOT NULL,
    language VARCHAR NOT NULL,
    duration_s DOUBLE NOT NULL,
    head JSON NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE segments (
    job_id VARCHAR NOT NULL,
    idx INTEGER NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    text VARCHAR NOT NULL,
    speaker VARCHAR,
    avg_logprob DOUBLE NOT NULL,
    compression_ratio DOUBLE NOT NULL,
    no_speech_prob DOUBLE NOT NULL,
    temperature DOUBLE NOT NULL,
    words STRUCT(start_s DOUBLE, end_s DOUBLE, "text" VARCHAR, probability DOUBLE)[] NOT NULL
);

CREATE TABLE exports (
    job_id VARCHAR NOT NULL,
    format VARCHAR NOT NULL,
    name VARCHAR NOT NULL
);

CREATE TABLE answers (
    report_id VARCHAR PRIMARY KEY,
    job_id VARCHAR NOT NULL,
    answer JSON NOT NULL,
    answered_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE audit (
    seq BIGINT NOT NULL,
    happened_at TIMESTAMPTZ NOT NULL,
    actor VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    detail JSON NOT NULL,
    hash VARCHAR NOT NULL
);

CREATE TABLE audit_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    count BIGINT NOT NULL,
    hash VARCHAR NOT NULL
);
INSERT INTO audit_head (one, count, hash) VALUES (1, 0, '');

CREATE TABLE settings (
    key VARCHAR PRIMARY KEY,
    value JSON NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL
);
