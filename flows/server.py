"""`python -m flows.server`: the Prefect server as `transcriber up` runs it, ending when the supervisor does."""

import sys

from flows.lifeline import die_with_supervisor


def main() -> None:
    """Serve Prefect's API and UI on the host and port of Prefect's own settings."""
    die_with_supervisor()
    import uvicorn

    host, port = sys.argv[1], int(sys.argv[2])
    uvicorn.run(
        "prefect.server.api.server:create_app",
        factory=True,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
