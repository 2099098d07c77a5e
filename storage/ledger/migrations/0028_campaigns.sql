-- Campaigns: recordings that are transcribed again with another model or settings, an item each.

CREATE TABLE campaigns (
    id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    asked_sha256 VARCHAR NOT NULL,
    selection VARCHAR NOT NULL,
    changes VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    total INTEGER NOT NULL,
    budget_s DOUBLE,
    from_hour INTEGER,
    until_hour INTEGER,
    time_zone VARCHAR NOT NULL,
    made_by VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ
);

-- `trial_id` is the job that transcribes the recording again; `intent` is what a rule decided and is still to be done.
CREATE TABLE campaign_items (
    campaign_id VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    job_id VARCHAR NOT NULL,
    audio_s DOUBLE NOT NULL,
    old_model VARCHAR,
    state VARCHAR NOT NULL,
    trial_id VARCHAR,
    device_s DOUBLE NOT NULL,
    heard_s DOUBLE NOT NULL,
    base INTEGER,
    stored_as VARCHAR,
    language VARCHAR,
    new_model VARCHAR,
    old_words INTEGER,
    changed_words INTEGER,
    change DOUBLE,
    old_confidence DOUBLE,
    new_confidence DOUBLE,
    corrected BOOLEAN NOT NULL,
    said_words INTEGER,
    old_errors INTEGER,
    new_errors INTEGER,
    error_code VARCHAR,
    error VARCHAR,
    intent VARCHAR,
    version INTEGER,
    restored INTEGER,
    decided_by VARCHAR,
    decided_at TIMESTAMPTZ
);
