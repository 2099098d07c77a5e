-- What a client or a manifest says of a recording, as a JSON object of texts; empty if it says nothing.

ALTER TABLE jobs ADD COLUMN metadata VARCHAR DEFAULT '';

CREATE OR REPLACE VIEW job_rows AS
SELECT id, owner_id, name, media_sha256, media_bytes, state, lane, options, attempt, version, duration_s, speech_s,
    done_s, detail, error, error_code, model, fingerprint, language, given_up, flow_run_id, created_at, updated_at,
    started_at, finished_at, deleted_at, read_s, parts, media_start_s, tags, held, metadata
FROM jobs;
