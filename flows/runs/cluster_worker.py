"""Transcribe spans in a worker process of a Dask cluster, which keeps its engine."""

import os
import socket
import threading
from typing import TYPE_CHECKING, Any

from flows.runs.process_state import CancelFlag, Resident
from flows.runs.span_transcription import SpanTranscription, end_of

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

_lock = threading.Lock()
_residents: list[Resident] = []  # at most one, made by the first span of this process


def resident() -> Resident:
    """Return this process's state; its device is the first that the settings allow."""
    from tasks.models.devices import devices

    with _lock:
        if not _residents:
            made = Resident(name=f"dask-{socket.gethostname()}-{os.getpid()}")
            made.device = devices(made.settings.engine)[0]
            _residents.append(made)
        return _residents[0]


async def transcribe(parameters: dict[str, Any]) -> "State[Any] | None":
    """Transcribe the span that the parameters describe; return its final state.

    A span that is repeated after a process was lost finds a result that was stored already.
    """
    flag = CancelFlag()
    return await end_of(SpanTranscription.from_parameters(here=resident(), flag=flag, deaths=0, **parameters))
