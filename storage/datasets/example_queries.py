"""Queries over the datasets to begin with, by the key of their title."""

EXAMPLES: dict[str, str] = {
    "hours": """SELECT owner, year, month, round(sum(audio_s) / 3600, 2) AS hours
FROM usage GROUP BY ALL ORDER BY year, month, hours DESC""",
    "cost": """SELECT owner, api_key, model, sum(recordings) AS recordings, round(sum(device_s)) AS device_s,
    round(sum(cost), 2) AS cost
FROM usage GROUP BY ALL ORDER BY device_s DESC""",
    "pace": """WITH spoken AS (SELECT job_id, sum(words) AS words FROM segments GROUP BY job_id)
SELECT model, count(*) AS recordings, round(sum(words) / (sum(speech_s) / 60), 1) AS words_a_minute
FROM jobs JOIN spoken USING (job_id) WHERE speech_s > 0 GROUP BY model ORDER BY model""",
    "failures": """SELECT error_code, count(*) AS failures, max(error) AS example
FROM jobs WHERE state = 'failed' GROUP BY error_code ORDER BY failures DESC""",
    "doubtful": """SELECT lower(trim(text, ' .,;:!?')) AS spoken, count(*) AS times,
    round(avg(probability), 3) AS probability
FROM words GROUP BY spoken HAVING times >= 5 ORDER BY probability LIMIT 50""",
}
