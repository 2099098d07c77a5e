"""Settings of where data is stored."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from storage.domain.settings.environment import CONFIG


class StorageSettings(BaseSettings):
    """Where data is stored."""

    model_config = CONFIG

    data_dir: Path = Field(Path("data"), description="Folder for the ledger, uploads in progress, models and logs.")
    storage_url: str | None = Field(
        None,
        description="Root of media, spans, results and exports: a folder or s3://bucket/prefix. "
        "Default: `store` inside the data dir.",
    )
    storage_endpoint_url: str | None = Field(
        None, description="Endpoint of an S3-compatible service; credentials come from the usual AWS_… variables."
    )

    direct_uploads: bool = Field(
        False,
        description="With storage in an S3 bucket, let clients send the parts of a recording straight to it, by "
        "requests that this server signs. The bucket must be reachable for them, and for browsers its CORS must "
        "permit PUT.",
    )
    direct_uploads_endpoint_url: str | None = Field(
        None, description="Where clients reach the S3 service for that, if not at `TRANSCRIBER_STORAGE_ENDPOINT_URL`."
    )
    disk_spare_bytes: int | None = Field(
        None,
        ge=0,
        description="With less free space than this on the disk of the data dir or of the storage folder, nothing new "
        "is accepted. Default: 2% of the disk, at most 2 GiB.",
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
    def batch_index_path(self) -> Path:
        return self.data_dir / "batch-index.sqlite3"

    @property
    def orphans_path(self) -> Path:
        return self.data_dir / "orphans.json"

    @property
    def uploads_dir(self) -> Path:
        return self.data_dir / "uploads"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"
