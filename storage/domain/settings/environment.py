"""Where settings come from: `TRANSCRIBER_…` environment variables, then `.env`."""

from pydantic_settings import SettingsConfigDict

CONFIG = SettingsConfigDict(env_prefix="TRANSCRIBER_", env_file=".env", extra="ignore", frozen=True)
