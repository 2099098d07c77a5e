"""Settings: `TRANSCRIBER_…` environment variables or `.env`, one class per concern.

They are read at the edges, never at import.
"""

from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from storage.domain import asr_door, rate_classes
from storage.domain.asr_door import AsrDoor
from storage.domain.errors import BadRequest
from storage.domain.model_names import DEFAULT_ALIASES, parse_aliases
from storage.domain.network import host_names, trusted_proxies
from storage.domain.network.host_names import HostNames
from storage.domain.network.outgoing_targets import OutgoingSettings
from storage.domain.network.trusted_proxies import TrustedProxies
from storage.domain.rate_classes import RateClass, RateLimit
from storage.domain.service_settings import MailSettings, WorkerSettings

_CONFIG = SettingsConfigDict(env_prefix="TRANSCRIBER_", env_file=".env", extra="ignore", frozen=True)


class StorageSettings(BaseSettings):
    """Where data is stored."""

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
        return self.data_dir / "search.sqlite3"

    @property
    def uploads_dir(self) -> Path:
        return self.data_dir / "uploads"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"


class WebSettings(BaseSettings):
    """The web process: its addresses, sessions and limits."""

    model_config = _CONFIG

    host: str = Field("127.0.0.1", description="Address that the web process listens on.")
    port: int = Field(8501, ge=1, le=65535, description="Port of the app and the HTTP API.")
    web_url: str | None = Field(
        None, description="Where workers reach the web process. Default: http://127.0.0.1 with the port."
    )
    worker_token: SecretStr | None = Field(
        None, description="Shared secret of workers. Default: created at the first `up` and kept in the data dir."
    )
    admin_password: SecretStr | None = Field(
        None, description="First password of the user `admin`. Default: random, printed once at the first start."
    )
    public_url: str | None = Field(
        None,
        description="Public address of the app, for links in mails and logins through a provider. With https, cookies "
        "are Secure; with a path (https://host/transcriber), the app lies below it. Default: from the request; in "
        "mails, the address of the web process.",
    )
    allowed_hosts: str = Field(
        "",
        description="Further host names of the app, with commas between them; `*` allows any. IP addresses, localhost "
        "and the public address's name are always allowed. Default: any, unless there is a public address.",
    )
    trusted_proxies: str = Field(
        "127.0.0.1, ::1",
        description="Proxies whose X-Forwarded-For, -Proto and -Host are believed: addresses and networks, or the "
        "number of proxies before the app. 0 means none.",
    )
    cors_origins: str = Field(
        "",
        description="Origins of other sites whose pages may call the APIs with a key (https://app.example.org), "
        "with commas between them; `*` allows any. Cookies are never accepted from them. Default: none.",
    )
    max_upload_bytes: int = Field(20 * 2**30, gt=0, description="Largest upload that is accepted, in bytes.")
    upload_share: float = Field(
        0.5, gt=0, le=1, description="Share of the free disk space that one person's open uploads may reserve."
    )
    max_hours: float = Field(24.0, gt=0, description="Longest recording that is accepted, in hours.")
    session_idle_minutes: int = Field(
        12 * 60, gt=0, description="A session ends after this many minutes of inactivity."
    )
    session_max_days: int = Field(30, gt=0, description="A session ends after this many days in any case.")
    jobs_in_flight: int = Field(
        0, ge=0, description="Recordings submitted to Prefect at a time; 0 means twice the slots of the cpu workers."
    )
    jobs_in_flight_per_user: int = Field(
        0,
        ge=0,
        description="Recordings of one person submitted to Prefect at a time, over all lanes; 0 means any number.",
    )
    deleted_kept_days: float = Field(
        14.0,
        ge=0,
        description="A deleted recording can be restored for this many days; then it is deleted permanently.",
    )
    batch_sources: str = Field(
        "",
        description="What the deployment `ingest-batch` may read, and who owns the recordings: "
        "`owner=/folder, owner=s3://bucket/prefix`. Read by cpu workers.",
    )
    model_aliases: str = Field(
        DEFAULT_ALIASES,
        description="Model names that clients of the OpenAI-compatible API may send, as `name=model|model`: the first "
        "of the models that a worker has, else the last; `auto` is the default model, and a name alone stands for "
        "itself. Installed models may be asked for anyway.",
    )
    repeat_minutes: float = Field(
        15.0,
        ge=0,
        description="A call of the OpenAI-compatible API that is sent again, without an idempotency key, gets the "
        "first one's job until this many minutes after its end; 0 makes a job of each call.",
    )
    keep_alive_seconds: float = Field(
        25.0,
        ge=0,
        description="JSON answers of the OpenAI-compatible API that take longer begin with white space, which keeps "
        "proxies from closing the connection; 0 means never.",
    )
    asr_user: str | None = Field(
        None,
        description="Account that owns the recordings of /asr and /detect-language, the interface of "
        "whisper-asr-webservice, which needs no key. It is off without this and one of the next two.",
    )
    asr_networks: str = Field(
        "", description="Addresses and networks that may use /asr and /detect-language, with commas between them."
    )
    asr_secret: SecretStr | None = Field(
        None, description="Secret with which anybody may use /asr-SECRET/asr and /asr-SECRET/detect-language."
    )
    reconcile_seconds: float = Field(5.0, gt=0, description="How often jobs are compared with their flow runs.")

    @field_validator("model_aliases")
    @classmethod
    def _aliases_can_be_read(cls, text: str) -> str:
        parse_aliases(text)
        return text

    @field_validator("asr_networks")
    @classmethod
    def _lists_networks(cls, value: str) -> str:
        asr_door.parse_networks(value)
        return value

    @field_validator("asr_secret")
    @classmethod
    def _is_a_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            asr_door.check_secret(value.get_secret_value())
        return value

    @property
    def asr_door(self) -> AsrDoor:
        secret = self.asr_secret.get_secret_value() if self.asr_secret else None
        networks = asr_door.parse_networks(self.asr_networks)
        return AsrDoor(user=self.asr_user or None, networks=networks, secret=secret)

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of `cors_origins`."""
        return tuple(entry for entry in map(str.strip, self.cors_origins.split(",")) if entry)

    @field_validator("cors_origins")
    @classmethod
    def _names_origins(cls, value: str) -> str:
        for entry in filter(None, map(str.strip, value.split(","))):
            found = urlsplit(entry)
            if entry != "*" and not (found.hostname and entry == f"{found.scheme}://{found.netloc}"):
                raise BadRequest("TRANSCRIBER_CORS_ORIGINS", f"{entry!r} is no origin; write it as https://host")
        return value

    @property
    def base_url(self) -> str:
        return self.web_url or f"http://127.0.0.1:{self.port}"

    @property
    def proxies(self) -> TrustedProxies:
        return trusted_proxies.parse(self.trusted_proxies)

    @property
    def host_names(self) -> HostNames:
        return HostNames.of(listed=self.allowed_hosts, public_url=self.public_url, web_url=self.web_url)

    @field_validator("trusted_proxies", "allowed_hosts", "public_url")
    @classmethod
    def _can_be_read(cls, value: str, info: ValidationInfo) -> str:
        host_names.PARSERS[str(info.field_name)](value)
        return value

    @cached_property
    def sub_path(self) -> str:
        """The path of the public address, as in `/transcriber`; empty at the root."""
        return host_names.sub_path_of(self.public_url)


class RateLimitSettings(BaseSettings):
    """How many requests one caller may send, by class."""

    model_config = _CONFIG

    rate_limit_auth: str = Field(
        "10 per 15 minutes",
        description="Failed log-ins, passwords, registrations and links, of one device, user or address; or `off`.",
    )
    rate_limit_api: str = Field("1000 per hour", description="Requests to the APIs with one key; or `off`.")
    rate_limit_upload: str = Field("100 per hour", description="Recordings sent with one key; or `off`.")
    rate_limit_admin: str = Field(
        "50 per 5 minutes", description="Requests for administrators alone, of one user or key; or `off`."
    )
    rate_limit_general: str = Field(
        "100 per 5 minutes",
        description="Everything else: without a login by address, such as shared links; with one by user or key; "
        "or `off`.",
    )
    rate_limit_websocket: str = Field(
        "600 per 5 minutes",
        description="Openings of WebSockets: of one login or key, or without a login of one address; or `off`.",
    )
    rate_limit_block_seconds: int = Field(
        60, ge=1, description="Who exceeds a limit is refused for at least this many seconds."
    )

    @field_validator(*(f"rate_limit_{kind}" for kind in RateClass))
    @classmethod
    def _is_a_limit(cls, text: str) -> str:
        rate_classes.parse(text)
        return text

    @property
    def limits(self) -> dict[RateClass, RateLimit | None]:
        return {kind: rate_classes.parse(getattr(self, f"rate_limit_{kind}")) for kind in RateClass}


class OidcSettings(BaseSettings):
    """Login through an OpenID provider; off without an issuer."""

    model_config = _CONFIG

    oidc_issuer: str | None = Field(
        None, description="Issuer URL of an OpenID provider; the login page then offers it."
    )
    oidc_client_id: str = Field("", description="Client id that the provider assigned to this installation.")
    oidc_client_secret: SecretStr | None = Field(
        None, description="Client secret; without one the client is public and protected only by PKCE."
    )
    oidc_name: str = Field("your organisation", description="The provider's name on the login button.")
    oidc_scopes: str = Field("openid profile email", description="Scopes to request.")
    oidc_create_users: bool = Field(
        False,
        description="Create an account for everybody whom the provider logs in, whatever the registration policy.",
    )
    oidc_groups_claim: str = Field("groups", description="Claim of the ID token that lists groups.")
    oidc_admin_group: str | None = Field(
        None, description="Members of this group are administrators; the provider's other users are not."
    )


class AuditSettings(BaseSettings):
    """The audit log: where the head of its chain goes every day."""

    model_config = _CONFIG

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


class EngineSettings(BaseSettings):
    """The engine: model, device, threads and batches."""

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
    cpu_threads: int = Field(
        0, ge=0, description="Threads of one engine worker; 0 means chosen by the number of cores."
    )
    num_workers: int = Field(
        0, ge=0, description="Spans transcribed at a time on one device; 0 means chosen by the number of cores."
    )
    batch_size: int = Field(
        0,
        ge=0,
        description="Windows of 13 s decoded together inside a span: more of shorter ones, fewer of longer; "
        "0 means chosen by the device.",
    )
    model_idle_minutes: float = Field(
        10.0, ge=0, description="An unused model is unloaded after this many minutes; 0 means never."
    )
    default_model_stays: bool = Field(
        True, description="Load the default model at the start and keep it; false: unload it when idle, too."
    )
    span_max_s: float = Field(180.0, gt=10, description="Longest span, in seconds.")


class Settings:
    """All settings together; each class is read once, on first use."""

    @cached_property
    def storage(self) -> StorageSettings:
        return StorageSettings()

    @cached_property
    def web(self) -> WebSettings:
        return WebSettings()

    @cached_property
    def rates(self) -> RateLimitSettings:
        return RateLimitSettings()

    @cached_property
    def oidc(self) -> OidcSettings:
        return OidcSettings()

    @cached_property
    def mail(self) -> MailSettings:
        return MailSettings()

    @cached_property
    def audit(self) -> AuditSettings:
        return AuditSettings()

    @cached_property
    def outgoing(self) -> OutgoingSettings:
        return OutgoingSettings()

    @cached_property
    def engine(self) -> EngineSettings:
        return EngineSettings()

    @cached_property
    def worker(self) -> WorkerSettings:
        return WorkerSettings()

    @property
    def model_dir(self) -> Path:
        return self.engine.model_dir or self.storage.data_dir / "models"
