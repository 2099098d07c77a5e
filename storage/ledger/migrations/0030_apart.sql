-- Whether a flow run of the job was lost, so that its next ones take a run, and runs of spans, of their own.

ALTER TABLE jobs ADD COLUMN apart BOOLEAN DEFAULT FALSE;

CREATE OR REPLACE VIEW job_rows AS
SELECT id, owner_id, name, media_sha256, media_bytes, state, lane, options, attempt, version, duration_s, speech_s,
    done_s, detail, error, error_code, model, fingerprint, language, given_up, flow_run_id, created_at, updated_at,
    started_at, finished_at, deleted_at, read_s, parts, media_start_s, tags, held, metadata, apart
FROM jobs;
