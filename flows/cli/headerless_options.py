"""The options that say what recordings without a header are."""

from typing import Annotated

import typer

from storage.domain.errors import BadRequest
from storage.media.headerless import Headerless, InputFormat, described

OPTIONS = {"input_format": "--input-format", "sample_rate": "--rate", "input_channels": "--input-channels"}

FormatOption = Annotated[
    InputFormat | None,
    typer.Option("--input-format", help="For files without a header: what they are. All files are taken as this."),
]
RateOption = Annotated[
    int | None, typer.Option("--rate", metavar="HZ", help="With --input-format: samples a second, such as 8000.")
]
ChannelsOption = Annotated[
    int | None, typer.Option("--input-channels", metavar="N", help="With --input-format: interleaved channels. [1]")
]


def headerless_of(input_format: InputFormat | None, rate: int | None, channels: int | None) -> Headerless | None:
    """Return what the options say of files without a header; None if files have one.

    Raises:
        typer.BadParameter: one is missing or not valid.
    """
    try:
        return described(input_format=input_format, sample_rate=rate, input_channels=channels)
    except BadRequest as error:
        raise typer.BadParameter(error.problem, param_hint=OPTIONS[error.field]) from error
