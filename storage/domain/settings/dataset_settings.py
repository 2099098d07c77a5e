"""Settings of datasets, and of queries over them."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from storage.domain.settings.environment import CONFIG


class DatasetSettings(BaseSettings):
    """Where datasets go, what a device costs, and what a query may take."""

    model_config = CONFIG

    datasets_url: str | None = Field(
        None,
        description="Where datasets are exported to: a folder, or s3://bucket/prefix. Default: `datasets` on the "
        "storage of recordings.",
    )
    datasets_endpoint_url: str | None = Field(
        None, description="Endpoint of an S3-compatible service for datasets, if `TRANSCRIBER_DATASETS_URL` is there."
    )
    device_hour_cost: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="What an hour of a device costs, in your currency, for the dataset `usage`; no costs without it.",
    )
    dataset_query_seconds: float = Field(
        30.0, gt=0, le=3600, description="How long a query of an administrator over the datasets may take."
    )
    dataset_query_memory_mb: int = Field(
        512, ge=64, description="How much memory such a query may take, in MiB; two may run at once."
    )

    @field_validator("datasets_url", "datasets_endpoint_url", "device_hour_cost", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value
