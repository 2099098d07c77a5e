"""The children of a process's fork server."""

import psutil


def forked_by(process: psutil.Process) -> list[psutil.Process]:
    """Return the sandboxed children that its fork server has at the moment."""
    servers = [one for one in process.children() if "storage.media.fork_server" in one.cmdline()]
    return [child for server in servers for child in server.children()]
