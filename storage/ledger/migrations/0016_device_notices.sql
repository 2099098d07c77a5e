-- Log-ins from browsers that were not known before: their mails, and whether somebody has seen them on a page.

CREATE TABLE device_notices (
    device_id VARCHAR PRIMARY KEY,
    user_id VARCHAR NOT NULL,
    client VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    tries INTEGER NOT NULL,
    due_at TIMESTAMPTZ,
    dismissed_at TIMESTAMPTZ
);
