"""The contract of what transcribes a recording's spans."""

from collections.abc import AsyncGenerator, Callable
from typing import Any, Protocol

from storage.domain.records import Span


class SpanRuns(Protocol):
    """Where spans are transcribed: by gpu flow runs, in this process, or on a cluster."""

    async def transcribe_all(
        self,
        spans: AsyncGenerator[Span, None],
        parameters: Callable[[Span], dict[str, Any]],
        on_transcribed: Callable[[Span], None],
    ) -> None:
        """Transcribe every span as it arrives; `on_transcribed` receives each finished one."""

    async def cancel(self) -> None:
        """Stop what still runs elsewhere."""
