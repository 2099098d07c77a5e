"""The statements that select datasets from the ledger, and those that tell what changed.

Each selects the rows of [$since, $until). Ids grow with time, so that those of a month are together in the ledger; with
their bounds $first and $last, DuckDB reads only this part of the large tables. What tells changes returns a text that
differs if any row of the month does: for short datasets a checksum of the rows, for those of transcripts one of the
transcripts' versions.
"""

from dataclasses import dataclass

JOBS_UNSORTED = """
SELECT jobs.id AS job_id, jobs.name, jobs.owner_id, users.name AS owner, jobs_by_key.key_id AS api_key_id,
    api_keys.name AS api_key, lane, state, coalesce(held, false) AS held, model, fingerprint, language,
    language_probability, duration_s, speech_s, work.spans::INTEGER AS spans, work.reused::INTEGER AS spans_reused,
    work.device_s, media_sha256, media_bytes, attempt, error_code, error,
    list_filter(string_split(coalesce(tags, ''), ','), lambda tag: tag <> '') AS tags,
    from_json(coalesce(nullif(metadata, ''), '{}'), '"MAP(VARCHAR, VARCHAR)"') AS metadata,
    edits.number AS transcript_version, jobs.created_at, started_at, finished_at
FROM jobs
LEFT JOIN users ON users.id = jobs.owner_id
LEFT JOIN jobs_by_key ON jobs_by_key.job_id = jobs.id
LEFT JOIN api_keys ON api_keys.id = jobs_by_key.key_id
LEFT JOIN (
    SELECT job_id, count(*) AS spans, count(*) FILTER (WHERE reused) AS reused,
        round(coalesce(sum(engine_s) FILTER (WHERE NOT reused), 0), 3) AS device_s
    FROM spans WHERE job_id BETWEEN $first AND $last GROUP BY job_id
) work ON work.job_id = jobs.id
LEFT JOIN (
    SELECT transcripts.job_id, coalesce(max(versions.number), 1) AS number
    FROM transcripts LEFT JOIN versions ON versions.job_id = transcripts.job_id
    WHERE transcripts.job_id BETWEEN $first AND $last GROUP BY transcripts.job_id
) edits ON edits.job_id = jobs.id
WHERE deleted_at IS NULL AND owner_id <> 'canary' AND jobs.created_at >= $since AND jobs.created_at < $until
"""
JOBS = JOBS_UNSORTED + "ORDER BY jobs.created_at, jobs.id"
SEGMENTS = """
SELECT segments.job_id, idx AS segment, start_s, end_s, speaker, segments.language, text,
    json_array_length(words)::INTEGER AS words, avg_logprob, compression_ratio, no_speech_prob, temperature
FROM segments JOIN jobs ON jobs.id = segments.job_id
WHERE segments.job_id BETWEEN $first AND $last AND deleted_at IS NULL AND owner_id <> 'canary'
    AND created_at >= $since AND created_at < $until
"""
WORDS = """
SELECT job_id, segment, (place - 1)::INTEGER AS word, one[1]::DOUBLE AS start_s, one[2]::DOUBLE AS end_s,
    one[3] AS text, one[4]::DOUBLE AS probability, speaker
FROM (
    SELECT job_id, segment, unnest(listed) AS one, generate_subscripts(listed, 1) AS place, speaker FROM (
        SELECT segments.job_id, idx AS segment, from_json(words, '[["VARCHAR"]]') AS listed, speaker
        FROM segments JOIN jobs ON jobs.id = segments.job_id
        WHERE segments.job_id BETWEEN $first AND $last AND deleted_at IS NULL AND owner_id <> 'canary'
            AND created_at >= $since AND created_at < $until
    )
)
"""
SPEAKERS = """
SELECT segments.job_id, speaker, count(*)::INTEGER AS segments, sum(json_array_length(words))::INTEGER AS words,
    round(sum(end_s - start_s), 3) AS spoken_s, min(start_s) AS first_s, max(end_s) AS last_s
FROM segments JOIN jobs ON jobs.id = segments.job_id
WHERE segments.job_id BETWEEN $first AND $last AND deleted_at IS NULL AND owner_id <> 'canary'
    AND created_at >= $since AND created_at < $until
    AND speaker IS NOT NULL
GROUP BY segments.job_id, speaker ORDER BY segments.job_id, first_s, speaker
"""
USAGE = """
SELECT owner_id, users.name AS owner, key_id AS api_key_id, api_keys.name AS api_key, model,
    recordings::INTEGER AS recordings, failed::INTEGER AS failed, audio_s, speech_s, device_s,
    device_s / 3600 * $cost::DOUBLE AS cost
FROM (
    SELECT owner_id, key_id, model, count(*) FILTER (WHERE state = 'completed') AS recordings,
        count(*) FILTER (WHERE state = 'failed') AS failed,
        round(coalesce(sum(duration_s) FILTER (WHERE state = 'completed'), 0), 3) AS audio_s,
        round(coalesce(sum(speech_s) FILTER (WHERE state = 'completed'), 0), 3) AS speech_s,
        round(coalesce(sum(work.s), 0), 3) AS device_s
    FROM jobs LEFT JOIN jobs_by_key ON jobs_by_key.job_id = jobs.id LEFT JOIN (
        SELECT job_id, sum(engine_s) AS s FROM spans
        WHERE NOT reused AND job_id BETWEEN $first AND $last GROUP BY job_id
    ) work ON work.job_id = jobs.id
    WHERE deleted_at IS NULL AND owner_id <> 'canary' AND finished_at >= $since AND finished_at < $until
    GROUP BY owner_id, key_id, model
)
LEFT JOIN users ON users.id = owner_id LEFT JOIN api_keys ON api_keys.id = key_id
ORDER BY owner_id, key_id, model
"""
AUDIT = """
SELECT seq, happened_at, actor, action, subject, detail::VARCHAR AS detail, address, agent, request_id, key_id, hash
FROM audit WHERE happened_at >= $since AND happened_at < $until ORDER BY seq
"""

UPLOADED = (
    "SELECT coalesce(min(id), ''), coalesce(max(id), '') FROM jobs WHERE created_at >= $since AND created_at < $until"
)
FINISHED = (
    "SELECT coalesce(min(id), ''), coalesce(max(id), '') FROM jobs WHERE finished_at >= $since AND finished_at < $until"
)
JOB_MARKS = """
SELECT date_trunc('month', created_at)::DATE, count(*) || '-' || bit_xor(hash(dataset_row)) FROM ({}) AS dataset_row
GROUP BY ALL
"""
TRANSCRIPT_MARKS = """
SELECT date_trunc('month', jobs.created_at)::DATE, count(transcripts.job_id) || '-' || coalesce(
    bit_xor(hash(jobs.id, stored_as, transcripts.created_at)) FILTER (WHERE transcripts.job_id IS NOT NULL), 0)
FROM jobs LEFT JOIN transcripts ON transcripts.job_id = jobs.id
WHERE jobs.id BETWEEN $first AND $last AND deleted_at IS NULL AND owner_id <> 'canary'
    AND jobs.created_at >= $since AND jobs.created_at < $until
GROUP BY ALL
"""
USAGE_MARKS = """
SELECT date_trunc('month', finished_at)::DATE, concat_ws('-', count(*), bit_xor(hash(jobs.id, owner_id, users.name,
    key_id, api_keys.name, model, state, duration_s, speech_s, work.s)), $cost::DOUBLE)
FROM jobs LEFT JOIN users ON users.id = owner_id LEFT JOIN jobs_by_key ON jobs_by_key.job_id = jobs.id
LEFT JOIN api_keys ON api_keys.id = key_id LEFT JOIN (
    SELECT job_id, sum(engine_s) AS s FROM spans
    WHERE NOT reused AND job_id BETWEEN $first AND $last GROUP BY job_id
) work ON work.job_id = jobs.id
WHERE deleted_at IS NULL AND owner_id <> 'canary' AND finished_at >= $since AND finished_at < $until
GROUP BY ALL
"""
AUDIT_MARKS = """
SELECT date_trunc('month', happened_at)::DATE, count(*) || '-' || coalesce(arg_max(hash, seq), '') FROM audit
WHERE happened_at >= $since AND happened_at < $until
GROUP BY ALL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """The statements of one dataset.

    They select its rows, its months with a mark each, and the bounds of its ids.
    """

    rows: str
    marks: str
    bounds: str | None = UPLOADED


OF = {
    "jobs": Statements(rows=JOBS, marks=JOB_MARKS.format(JOBS_UNSORTED)),
    "segments": Statements(rows=SEGMENTS, marks=TRANSCRIPT_MARKS),
    "words": Statements(rows=WORDS, marks=TRANSCRIPT_MARKS),
    "speakers": Statements(rows=SPEAKERS, marks=TRANSCRIPT_MARKS),
    "usage": Statements(rows=USAGE, marks=USAGE_MARKS, bounds=FINISHED),
    "audit": Statements(rows=AUDIT, marks=AUDIT_MARKS, bounds=None),
}
COPY = "COPY ({}) TO $path (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{dataset: '{}', version: '{}'}})"
