"""The OpenAPI document of `/api`, completed with what all routes have, and examples."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from dashboards.api.job_schemas import JobBody, JobList, TextSoFar
from dashboards.http.problem_details import MEDIA_TYPE, problem
from dashboards.http.route_scopes import ROUTE_SCOPES
from dashboards.runtime.site_paths import site_path
from storage.domain.errors import BadRequest, NotFound, NotSignedIn, RateLimited, ScopeMissing, TranscriberError
from storage.domain.records import Job, JobState, Lane, Options, Segment, Transcript, Word, to_json
from storage.domain.scopes import Scope

NOT_MODIFIED = {"description": "Not modified since the response with the `ETag` in `If-None-Match`."}
NO_CACHE = {"/v1/events"}
PREFIX = "/api"
TRANSCRIPTS = ("/v1/jobs/{job_id}/transcript", "/v1/jobs/{job_id}/versions/{number}")
REFS = "#/components/schemas/{model}"
ACCEPTED_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
WORDS = (
    Word(start_s=0.4, end_s=0.9, text=" Good", probability=0.98),
    Word(start_s=0.9, end_s=1.4, text=" morning.", probability=0.97),
)
JOB = Job(
    id="019cadc34d02750ba8d1b6b7f0c4f1aa",
    owner_id="019ca82f7e5a7c6e9f0d3c2b1a098765",
    name="Board meeting.m4a",
    media_sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    media_bytes=14_680_064,
    state=JobState.COMPLETED,
    lane=Lane.INTERACTIVE,
    options=Options(language="en"),
    attempt=1,
    version=9,
    duration_s=1834.2,
    speech_s=1502.9,
    done_s=1502.9,
    detail="",
    error=None,
    model="small",
    fingerprint="f3c1a9d2",
    language="en",
    given_up=(),
    flow_run_id=None,
    created_at=ACCEPTED_AT,
    updated_at=ACCEPTED_AT + timedelta(minutes=4),
    started_at=ACCEPTED_AT + timedelta(seconds=2),
    finished_at=ACCEPTED_AT + timedelta(minutes=4),
)
TRANSCRIPT = Transcript(
    job_id=JOB.id,
    media_sha256=JOB.media_sha256,
    name=JOB.name,
    duration_s=1834.2,
    speech_s=1502.9,
    language="en",
    language_probability=0.98,
    model="small",
    fingerprint="f3c1a9d2",
    engine="faster-whisper",
    options=JOB.options,
    segments=(Segment(start_s=0.4, end_s=1.4, text=" Good morning.", words=WORDS, avg_logprob=-0.2),),
)
PROBLEMS: dict[str, TranscriberError] = {
    "400": BadRequest("limit", "Input should be less than or equal to 200"),
    "401": NotSignedIn("this key is not valid (unknown, revoked or expired)"),
    "403": ScopeMissing(Scope.WRITE, (Scope.READ,)),
    "404": NotFound("job", JOB.id),
    "429": RateLimited("api", 1000, 3600, 60),
}
"""The examples are made by the code that answers, so that they stay true."""


def document_of(api: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return the function that makes the document; all but its server once."""

    def document() -> dict[str, Any]:
        if api.openapi_schema is None:
            made = get_openapi(title=api.title, version=api.version, description=api.description, routes=api.routes)
            _describe_transcripts(made)
            for path, operations in made["paths"].items():
                for method, operation in operations.items():
                    _complete(path, method.upper(), operation)
            _add_examples(made["components"]["schemas"])
            api.openapi_schema = made
        return {**api.openapi_schema, "servers": [{"url": site_path(PREFIX)}]}

    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add the scope and 304, and give errors their media type and examples."""
    scope = ROUTE_SCOPES[PREFIX + path][method]
    about = operation.get("description", "")
    operation["description"] = f"{about}\n\nA key needs the scope `{scope}`." if scope else about
    operation["x-scope"] = scope.value if scope else None
    responses = operation["responses"]
    for status, response in responses.items():
        if status.isdigit() and int(status) >= 400 and "application/json" in response.get("content", {}):
            response["content"] = {MEDIA_TYPE: dict(response["content"]["application/json"])}
            if status in PROBLEMS:
                response["content"][MEDIA_TYPE]["example"] = _problem(PROBLEMS[status], PREFIX + path)
    if method == "GET" and path not in NO_CACHE:
        responses["304"] = NOT_MODIFIED


def _problem(error: TranscriberError, path: str) -> Any:
    scope = {"path": path, "request_id": "5f3c9a1be07d4426"}
    param = error.field if isinstance(error, BadRequest) else None
    told = {"code": error.code, "message": str(error), "type": "invalid_request_error", "param": param}
    return json.loads(bytes(problem(scope, error.status, error=told, headers=None).body))


def _describe_transcripts(document: dict[str, Any]) -> None:
    """Add the schema of stored transcripts; older versions did not write all fields."""
    schema = TypeAdapter(Transcript).json_schema(ref_template=REFS)
    parts = schema.pop("$defs")
    document["components"]["schemas"] |= parts | {"Transcript": schema}
    for path in TRANSCRIPTS:
        answer: dict[str, Any] = {"$ref": REFS.format(model="Transcript")}
        if path == TRANSCRIPTS[0]:
            so_far = TypeAdapter(TextSoFar).json_schema(ref_template=REFS, mode="serialization")
            so_far.pop("$defs")
            document["components"]["schemas"]["TextSoFar"] = so_far
            answer = {"anyOf": [answer, {"$ref": REFS.format(model="TextSoFar")}]}
        document["paths"][path]["get"]["responses"]["200"]["content"] = {"application/json": {"schema": answer}}


def _add_examples(schemas: dict[str, Any]) -> None:
    job = JobBody.of(JOB)
    schemas["JobBody"]["examples"] = [job.model_dump(mode="json")]
    schemas["JobList"]["examples"] = [JobList(jobs=[job], next=None).model_dump(mode="json")]
    schemas["Transcript"]["examples"] = [json.loads(to_json(TRANSCRIPT))]
    schemas["ProblemBody"]["examples"] = [_problem(PROBLEMS["404"], f"{PREFIX}/v1/jobs/{JOB.id}")]
