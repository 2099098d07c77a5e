"""Settings of how many requests one caller may send."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from storage.domain import rate_classes
from storage.domain.rate_classes import RateClass, RateLimit
from storage.domain.settings.environment import CONFIG


class RateLimitSettings(BaseSettings):
    """How many requests one caller may send, by class."""

    model_config = CONFIG

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
