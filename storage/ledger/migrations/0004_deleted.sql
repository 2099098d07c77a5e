-- A deleted job stays, out of sight, until its grace period is over.

ALTER TABLE jobs ADD COLUMN deleted_at TIMESTAMPTZ;

CREATE OR REPLACE VIEW job_rows AS
SELECT id, owner_id, name, media_sha256, media_bytes, state, lane, options, attempt, version, duration_s, speech_s,
    done_s, detail, error, error_code, model, fingerprint, language, given_up, flow_run_id, created_at, updated_at,
    started_at, finished_at, deleted_at
FROM jobs;
