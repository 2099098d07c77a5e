"""The parameters of a batch as command line, deployment and schedule give them, checked."""

from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from flows.batch.batch_run import BatchPlan
from flows.batch.batch_upload import BatchOptions
from flows.batch.written_results import ResultOrder
from storage.domain.errors import BadRequest
from storage.domain.result_template import USUAL_TEMPLATE
from storage.domain.tags import split_tags
from storage.media.headerless import Headerless

TASKS = ("transcribe", "translate")


def ordered(  # noqa: PLR0917 - a batch's parameters
    source: str,
    owner: str,
    model: str = "auto",
    language: str | None = None,
    task: str = "transcribe",
    prompt: str | None = None,
    tags: str | None = None,
    recursive: bool = False,
    again: bool = False,
    dest: str | None = None,
    template: str | None = None,
    formats: Sequence[str] = (),
    overwrite: bool = False,
    rejects: str | None = None,
    wait: bool = True,
    *,
    actor: str,
    headerless: Headerless | None = None,
    token: SecretStr | None = None,
) -> tuple[BatchPlan, BatchOptions]:
    """Return what to do and with which options.

    Raises:
        BadRequest: a parameter is wrong; the message names it.
    """
    if not source.strip() or "\0" in source:
        raise BadRequest("SOURCE", f"{source!r} does not exist; name a folder, a file or s3://bucket/prefix")
    if task not in TASKS:
        raise BadRequest("task", f"{task!r} is none; it is transcribe or translate")
    if template is not None and dest is None:
        raise BadRequest("template", "it names results, which are written with a target alone; add --dest")
    more: dict[str, Any] = {} if task == "transcribe" else {"task": task}
    more |= {"prompt": prompt} if prompt else {}
    options = BatchOptions(
        owner=owner,
        model=model,
        language=language,
        actor=actor,
        token=token,
        headerless=headerless,
        again=again,
        more=more,
        tags=split_tags(tags),
    )
    results = None
    if dest is not None:
        how = {"overwrite": overwrite, "again": again}
        results = ResultOrder.of(dest, template, formats, usual=USUAL_TEMPLATE, **how)
    plan = BatchPlan(
        source=source, recursive=recursive, results=results, rejects=rejects, wait=wait, overwrite=overwrite
    )
    return plan, options
