"""The origin of what a page's script changes, for the audit log.

Scripts run in threads of Streamlit's, which know the user by the headers that the access middleware sets.
"""

from storage.ledger import audit_origin
from storage.ledger.audit_origin import Origin


def of_script() -> Origin | None:
    """Return the origin of the page whose script this thread runs, or None elsewhere."""
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    running = get_script_run_ctx(suppress_warning=True)
    if running is None:
        return None
    address, agent, request_id = (_text(running.user_info.get(name)) for name in ("address", "agent", "request"))
    return audit_origin.cleaned(address=address, agent=agent, request_id=request_id)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
