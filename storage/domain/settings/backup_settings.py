"""Settings of backups."""

import re
from datetime import time

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from storage.domain.errors import BadRequest
from storage.domain.settings.environment import CONFIG

AT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class BackupSettings(BaseSettings):
    """Backups of the ledger: when, where, with which key, and how many are kept."""

    model_config = CONFIG

    backup_at: str = Field(
        "02:30", description="When the ledger is backed up every day, as HH:MM in UTC; empty means never."
    )
    backup_url: str | None = Field(
        None,
        description="Where backups go, in `backups/`: a folder that exists, or s3://bucket/prefix. Default: the "
        "storage of recordings.",
    )
    backup_endpoint_url: str | None = Field(
        None, description="Endpoint of an S3-compatible service for backups, if `TRANSCRIBER_BACKUP_URL` is there."
    )
    backup_key: SecretStr | None = Field(
        None,
        description="Secret key of age (`AGE-SECRET-KEY-1…`, from `transcriber admin backup-key`) that backups are "
        "encrypted for; without it they are not encrypted. Keep a copy elsewhere: nothing opens them without it.",
    )
    backup_daily: int = Field(7, ge=1, description="How many days have a backup that is kept.")
    backup_weekly: int = Field(4, ge=0, description="How many weeks have a backup that is kept.")
    backup_monthly: int = Field(12, ge=0, description="How many months have a backup that is kept.")
    backup_drill_days: float = Field(
        7.0,
        ge=0,
        description="Each backup is restored on trial once made, and again after so many days; 0 means never.",
    )

    @field_validator("backup_at")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        if value and not AT.fullmatch(value):
            raise BadRequest("TRANSCRIBER_BACKUP_AT", f"{value!r} is no time; write it as HH:MM, in UTC")
        return value

    @field_validator("backup_url", "backup_endpoint_url", "backup_key", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @property
    def backup_time(self) -> time | None:
        return time.fromisoformat(self.backup_at) if self.backup_at else None
