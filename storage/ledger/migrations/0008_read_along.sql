-- Hearing begins while a recording is still being read, and its text can be read while it is still being heard.

ALTER TABLE jobs ADD COLUMN read_s DOUBLE;
ALTER TABLE jobs ADD COLUMN parts INTEGER DEFAULT 0;

CREATE OR REPLACE VIEW job_rows AS
SELECT id, owner_id, name, media_sha256, media_bytes, state, lane, options, attempt, version, duration_s, speech_s,
    done_s, detail, error, error_code, model, fingerprint, language, given_up, flow_run_id, created_at, updated_at,
    started_at, finished_at, deleted_at, read_s, parts
FROM jobs;
