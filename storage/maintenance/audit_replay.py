"""Compare accounts, keys and share links with what the audit log says of them.

A change of these tables and its row are one transaction, so a change without a row was made outside the program.
"""

from duckdb import DuckDBPyConnection

USERS = """
WITH told AS (
    SELECT subject AS id,
        arg_max(coalesce(detail->>'$.to', detail->>'$.role'), seq)
            FILTER (WHERE action IN ('user.create', 'user.restore', 'user.role')) AS role,
        arg_max(action, seq) FILTER (WHERE action <> 'user.role') AS last
    FROM audit
    WHERE action IN ('user.create', 'user.restore', 'user.role', 'user.disable', 'user.enable', 'user.leave',
                     'user.delete')
    GROUP BY subject)
SELECT coalesce(users.id, told.id) AS id, users.name, users.role, told.role, users.disabled,
       told.last IN ('user.disable', 'user.leave'), users.id IS NOT NULL, told.last IS NOT NULL
FROM users FULL JOIN told ON told.id = users.id
WHERE (users.id IS NULL) <> coalesce(told.last = 'user.delete', TRUE)
   OR users.role <> told.role OR users.disabled <> (told.last IN ('user.disable', 'user.leave'))
ORDER BY id
"""
KEYS = """
WITH told AS (
    SELECT subject AS id,
        arg_max(detail->>'$.user', seq) FILTER (WHERE action = 'key.create') AS user_id,
        bool_or(action = 'key.revoke') AS revoked
    FROM audit WHERE action IN ('key.create', 'key.revoke') GROUP BY subject),
left_by AS (
    SELECT subject AS user_id, bool_or(action = 'user.delete') AS gone
    FROM audit WHERE action IN ('user.leave', 'user.delete') GROUP BY subject)
SELECT coalesce(api_keys.id, told.id) AS id, api_keys.id IS NOT NULL, told.user_id IS NOT NULL,
       api_keys.revoked_at IS NOT NULL, coalesce(told.revoked OR left_by.user_id IS NOT NULL, FALSE),
       coalesce(api_keys.user_id = told.user_id, TRUE), coalesce(left_by.gone, FALSE)
FROM api_keys FULL JOIN told ON told.id = api_keys.id
LEFT JOIN left_by ON left_by.user_id = coalesce(api_keys.user_id, told.user_id)
ORDER BY id
"""
TOKENS = """
WITH told AS (
    SELECT subject AS id, bool_or(action = 'worker_token.create') AS made,
        bool_or(action = 'worker_token.revoke') AS revoked
    FROM audit WHERE action IN ('worker_token.create', 'worker_token.revoke') GROUP BY subject)
SELECT coalesce(worker_tokens.id, told.id) AS id, worker_tokens.id IS NOT NULL, coalesce(told.made, FALSE),
       worker_tokens.revoked_at IS NOT NULL, coalesce(told.revoked, FALSE), TRUE, FALSE
FROM worker_tokens FULL JOIN told ON told.id = worker_tokens.id
ORDER BY id
"""
SHARES = """
WITH told AS (
    SELECT detail->>'$.share' AS id, any_value(subject) AS job_id, bool_or(action = 'share.create') AS made,
        bool_or(action = 'share.revoke') AS revoked,
        any_value(CAST(detail->>'$.expires_at' AS TIMESTAMPTZ)) FILTER (WHERE action = 'share.create') AS expires_at
    FROM audit WHERE action IN ('share.create', 'share.revoke') GROUP BY 1)
SELECT coalesce(shares.id, told.id) AS id, shares.id IS NOT NULL, coalesce(told.made, FALSE),
       shares.revoked_at IS NOT NULL, coalesce(told.revoked, FALSE),
       coalesce(shares.expires_at = told.expires_at AND shares.job_id = told.job_id, TRUE),
       coalesce(told.job_id IN (SELECT subject FROM audit WHERE action = 'job.purge'), FALSE)
FROM shares FULL JOIN told ON told.id = shares.id
ORDER BY id
"""


def differences(con: DuckDBPyConnection) -> list[str]:
    """Return where the tables and the audit log differ, in words."""
    found = _of_users(con)
    for statement, what in ((KEYS, "API key"), (TOKENS, "worker token"), (SHARES, "share link")):
        found += _of_secrets(con, statement, what)
    return found


def _of_users(con: DuckDBPyConnection) -> list[str]:
    found = []
    for ident, name, role, told_role, disabled, told_disabled, is_there, is_told in con.execute(USERS).fetchall():
        account = f"the account {name} ({ident})" if name else f"the account {ident}"
        if not is_there:
            found.append(f"{account} was removed without a row in the audit log")
        elif not is_told:
            found.append(f"{account} was made without a row in the audit log")
        else:
            if role != told_role:
                found.append(f"{account} has the role {role}, by the audit log {told_role}")
            if disabled != told_disabled:
                states = {True: "disabled", False: "enabled"}
                found.append(f"{account} is {states[disabled]}, by the audit log {states[told_disabled]}")
    return found


def _of_secrets(con: DuckDBPyConnection, statement: str, what: str) -> list[str]:
    found = []
    for ident, is_there, is_told, revoked, told_revoked, same, may_be_gone in con.execute(statement).fetchall():
        named = f"the {what} {ident}"
        if not is_there and not may_be_gone:
            found.append(f"{named} was removed without a row in the audit log")
        elif is_there and not is_told:
            found.append(f"{named} was made without a row in the audit log")
        elif is_there and revoked != told_revoked:
            states = {True: "revoked", False: "valid"}
            found.append(f"{named} is {states[revoked]}, by the audit log {states[told_revoked]}")
        elif is_there and not same:
            found.append(f"{named} was changed without a row in the audit log")
    return found
