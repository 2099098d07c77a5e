-- Browsers in which somebody has logged in: their right password is accepted while strangers guess at the name.

CREATE TABLE known_devices (
    id VARCHAR PRIMARY KEY,
    user_id VARCHAR NOT NULL,
    token_sha256 VARCHAR NOT NULL,
    client VARCHAR NOT NULL,
    session_id VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ NOT NULL
);
