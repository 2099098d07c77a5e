"""Settings of mail and of workers."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from storage.domain.settings.environment import CONFIG


class MailSettings(BaseSettings):
    """Sending mail; off without a host."""

    model_config = CONFIG

    smtp_host: str | None = Field(None, description="Mail server; without one no mail is sent.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls, tls (from the first byte), or none."
    )
    smtp_user: str | None = Field(None, description="User name for the mail server, if it requires one.")
    smtp_password: SecretStr | None = Field(None, description="Password for the mail server.")
    smtp_from: str = Field("transcriber@localhost", description="Sender of all mails.")


class WorkerSettings(BaseSettings):
    """A worker's life: how it leaves, and when its resident process is replaced."""

    model_config = CONFIG

    drain_minutes: float = Field(
        10.0,
        ge=0,
        description="After SIGTERM a worker finishes the runs in hand for at most this many minutes, then stops; 0 "
        "means at once. A second SIGTERM, or Ctrl-C, stops it at once. `up` stops its own workers at once.",
    )
    recycle_runs: int = Field(
        0, ge=0, description="A worker replaces its resident process after this many flow runs; 0 means never."
    )
    recycle_bytes: int = Field(
        0,
        ge=0,
        description="A worker replaces its resident process between runs once that holds this much memory, models "
        "included; 0 means never.",
    )
