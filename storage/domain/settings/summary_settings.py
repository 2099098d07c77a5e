"""Settings of summaries by a server that speaks OpenAI's chat completions."""

import ipaddress
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from storage.domain.errors import BadRequest
from storage.domain.network import outgoing_targets
from storage.domain.network.outgoing_targets import OutgoingTargets
from storage.domain.settings.environment import CONFIG

URL, ALLOWED = "TRANSCRIBER_SUMMARY_URL", "TRANSCRIBER_SUMMARY_ALLOWED"


class SummarySettings(BaseSettings):
    """Summaries and chapters by another server; off without its address and a model."""

    model_config = CONFIG

    summary_url: str | None = Field(
        None,
        description="Base URL of an OpenAI-compatible server, such as `https://llm.example.org/v1`; people can then "
        "send it a transcript for a summary with chapters, each time by a click. Nothing is sent without this and the "
        "model.",
    )
    summary_model: str | None = Field(None, description="Name of the model that the server shall use.")
    summary_key: SecretStr | None = Field(None, description="Key of the server, sent as a Bearer token, if it has any.")
    summary_max_chars: int = Field(
        24_000,
        ge=2_000,
        le=2_000_000,
        description="Most characters of a transcript in one request; a longer one is sent in parts.",
    )
    summary_timeout_seconds: float = Field(
        300.0, gt=0, description="Longest time that one request may take; models on a CPU are slow."
    )
    summary_allowed: str = Field(
        "",
        description="Hosts, addresses and networks at which the server may be although they are not public, or speak "
        "plain `http`, with commas between them: `127.0.0.1, llm.lan`. Default: none.",
    )

    @field_validator("summary_url")
    @classmethod
    def _is_a_web_address(cls, value: str | None) -> str | None:
        found = urlsplit(value or "")
        if value and (found.scheme not in {"http", "https"} or not found.hostname or found.username or found.query):
            raise BadRequest(URL, "write it as https://host/v1, and the key into TRANSCRIBER_SUMMARY_KEY")
        return value.rstrip("/") if value else None

    @field_validator("summary_allowed")
    @classmethod
    def _lists_targets(cls, value: str) -> str:
        try:
            outgoing_targets.parse(value)
        except BadRequest as error:
            raise BadRequest(ALLOWED, error.problem) from error
        return value

    @model_validator(mode="after")
    def _is_secret_on_the_way(self) -> Self:
        if self.summary_url and self.summary_url.startswith("http:") and not self._is_listed(self.host):
            raise BadRequest(URL, f"{self.host} would get transcripts unencrypted; use https, or list it in {ALLOWED}")
        return self

    def _is_listed(self, host: str) -> bool:
        try:
            return any(ipaddress.ip_address(host) in network for network in self.targets.networks)
        except ValueError:
            return host in self.targets.hosts

    @property
    def is_on(self) -> bool:
        return bool(self.summary_url and self.summary_model)

    @property
    def host(self) -> str:
        return (urlsplit(self.summary_url or "").hostname or "").lower()

    @property
    def targets(self) -> OutgoingTargets:
        return outgoing_targets.parse(self.summary_allowed)
