"""Settings of upkeep."""

from pydantic import Field
from pydantic_settings import BaseSettings

from storage.domain.settings.environment import CONFIG


class UpkeepSettings(BaseSettings):
    """Upkeep: what the platform proves of itself."""

    model_config = CONFIG

    canary_minutes: float = Field(
        0.0,
        ge=0,
        description="Every so many minutes a short sample is transcribed, which proves the whole way and is deleted "
        "then; 0 means never.",
    )
