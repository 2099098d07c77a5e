-- A user's own names and words, one a line; see storage/vocabulary.py.

CREATE TABLE vocabularies (
    user_id VARCHAR PRIMARY KEY,
    words VARCHAR NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL
);
