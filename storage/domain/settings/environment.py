"""Where settings come from: `TRANSCRIBER_…` environment variables, then `.env`."""

from pydantic_settings import BaseSettings, SettingsConfigDict

CONFIG = SettingsConfigDict(env_prefix="TRANSCRIBER_", env_file=".env", extra="ignore", frozen=True)


def heading(concern: type[BaseSettings]) -> str:
    """Return what a class of settings is about, in English."""
    return (concern.__doc__ or "").strip().splitlines()[0].rstrip(".").partition(":")[0]
