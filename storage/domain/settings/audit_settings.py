"""Settings of the audit log."""

from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from storage.domain.errors import BadRequest
from storage.domain.settings.environment import CONFIG


class AuditSettings(BaseSettings):
    """The audit log: where the head of its chain goes every day."""

    model_config = CONFIG

    audit_head_on_storage: bool = Field(
        True, description="Store the head of the audit chain every day on storage, as `audit/heads/YYYY-MM-DD.json`."
    )
    audit_head_syslog: str | None = Field(
        None,
        description="Send the head of the audit chain to syslog every day: a socket such as /dev/log, or host:port for "
        "UDP.",
    )
    audit_head_webhook: SecretStr | None = Field(
        None, description="Post the head of the audit chain every day to this URL, as JSON."
    )

    @field_validator("audit_head_syslog")
    @classmethod
    def _is_a_socket_or_an_address(cls, value: str | None) -> str | None:
        if value and not value.startswith("/") and not value.rpartition(":")[2].isdecimal():
            raise BadRequest("TRANSCRIBER_AUDIT_HEAD_SYSLOG", f"{value!r} is neither a socket nor host:port")
        return value or None

    @field_validator("audit_head_webhook")
    @classmethod
    def _is_a_web_address(cls, value: SecretStr | None) -> SecretStr | None:
        address = urlsplit(value.get_secret_value() if value else "")
        if value and not (address.scheme in {"http", "https"} and address.hostname):
            raise BadRequest("TRANSCRIBER_AUDIT_HEAD_WEBHOOK", "it is no address; write it as https://host/path")
        return value
