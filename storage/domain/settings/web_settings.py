"""Settings of the web process: addresses, sessions, limits and intake."""

from functools import cached_property
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from storage.domain import asr_door, batch_sources
from storage.domain.asr_door import AsrDoor
from storage.domain.errors import BadRequest
from storage.domain.model_names import DEFAULT_ALIASES, parse_aliases
from storage.domain.network import host_names, trusted_proxies
from storage.domain.network.host_names import HostNames
from storage.domain.network.trusted_proxies import TrustedProxies
from storage.domain.settings.environment import CONFIG


class WebSettings(BaseSettings):
    """The web process: its addresses, sessions and limits."""

    model_config = CONFIG

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
        0,
        ge=0,
        description="Recordings submitted to Prefect at a time; 0 means as many flow runs as twice the slots of the "
        "cpu workers.",
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
        description="What the deployment `ingest-batch` and the API may read, and who owns the recordings: "
        "`owner=/folder, owner=s3://bucket/prefix, owner=https://host/path/`. Read by cpu workers and the web process.",
    )
    batch_targets: str = Field(
        "",
        description="Where the deployment `ingest-batch` may write results and reject files, and for whose recordings: "
        "`owner=/folder, owner=s3://bucket/prefix`. Read by cpu workers. Default: nowhere.",
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

    @field_validator("batch_sources", "batch_targets")
    @classmethod
    def _names_owners_and_places(cls, text: str, info: ValidationInfo) -> str:
        batch_sources.parse(text, f"TRANSCRIBER_{str(info.field_name).upper()}")
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
