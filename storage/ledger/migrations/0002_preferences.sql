-- What each user wants as a start, as storage.preferences writes it.

CREATE TABLE preferences (
    user_id VARCHAR PRIMARY KEY,
    value JSON NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL
);
