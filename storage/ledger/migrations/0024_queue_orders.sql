-- What people decide about a job in the queue: that it is paused, and that it comes before its owner's others.

ALTER TABLE jobs ADD COLUMN held BOOLEAN DEFAULT FALSE;
ALTER TABLE jobs ADD COLUMN moved_up_at TIMESTAMPTZ;

CREATE OR REPLACE VIEW job_rows AS
SELECT id, owner_id, name, media_sha256, media_bytes, state, lane, options, attempt, version, duration_s, speech_s,
    done_s, detail, error, error_code, model, fingerprint, language, given_up, flow_run_id, created_at, updated_at,
    started_at, finished_at, deleted_at, read_s, parts, media_start_s, tags, held
FROM jobs;
