"""What a client says of recordings without a header is taken, or refused with what would do."""

from typing import Any

import pytest

from storage.domain.errors import BadRequest
from storage.media.headerless import Headerless, InputFormat, described

ALAW, G722 = InputFormat.ALAW, InputFormat.G722


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, None),
        ({"input_format": "alaw", "sample_rate": 8000}, Headerless(format=ALAW, rate_hz=8000)),
        (
            {"input_format": "alaw", "sample_rate": 8000, "input_channels": 2},
            Headerless(format=ALAW, rate_hz=8000, channels=2),
        ),
        ({"input_format": "g722"}, Headerless(format=G722, rate_hz=16_000)),
        ({"input_format": "g722", "sample_rate": 16_000, "input_channels": 1}, Headerless(format=G722, rate_hz=16_000)),
    ],
)
def test_what_is_said_is_taken(said: dict[str, Any], expected: Headerless | None) -> None:
    assert described(**said) == expected


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"input_format": "mp3"}, "input_format", "s16le, s16be, s24le, f32le, alaw, mulaw, g722, gsm"),
    ({"sample_rate": 8000}, "sample_rate", "s16le, s16be, s24le, f32le, alaw, mulaw, g722, gsm"),
    ({"input_channels": 2}, "input_channels", "say the format, too"),
    ({"input_format": "mulaw"}, "sample_rate", "say it in Hz"),
    ({"input_format": "mulaw", "sample_rate": 8}, "sample_rate", "from 4000 to 192000"),
    ({"input_format": "mulaw", "sample_rate": 999_999}, "sample_rate", "from 4000 to 192000"),
    ({"input_format": "g722", "sample_rate": 8000}, "sample_rate", "always has 16000 Hz"),
    ({"input_format": "gsm", "sample_rate": 16_000}, "sample_rate", "always has 8000 Hz"),
    ({"input_format": "gsm", "input_channels": 2}, "input_channels", "one channel"),
    ({"input_format": "alaw", "sample_rate": 8000, "input_channels": 0}, "input_channels", "from 1 to 8"),
]


@pytest.mark.parametrize(("said", "field", "words"), REFUSED)
def test_what_will_not_do_is_refused_with_what_would(said: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        described(**said)
    assert refused.value.field == field
    assert words in refused.value.problem
