"""Settings of a Dask cluster that transcribes spans beside the gpu workers."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from storage.domain.errors import BadRequest
from storage.domain.records import Lane
from storage.domain.settings.environment import CONFIG


class ClusterSettings(BaseSettings):
    """A cluster that exists already; off without its address."""

    model_config = CONFIG

    dask_scheduler: str | None = Field(
        None,
        description="Address of a Dask scheduler, such as `tcp://10.0.0.5:8786` or `tls://…`: its workers then "
        "transcribe the spans of the lanes below, instead of the gpu workers. Needs the extra `dask`.",
    )
    dask_lanes: str = Field(
        "backfill",
        description="Lanes whose spans go to the Dask cluster, with commas between them: `backfill` (campaigns), "
        "`batch`, `interactive`.",
    )

    @field_validator("dask_scheduler", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("dask_lanes")
    @classmethod
    def _are_lanes(cls, value: str) -> str:
        for name in _names(value):
            if name not in list(Lane):
                raise BadRequest("TRANSCRIBER_DASK_LANES", f"{name!r} is no lane; write {', '.join(Lane)}")
        return value

    @property
    def lanes(self) -> frozenset[Lane]:
        """The lanes whose spans go to the cluster; none without a cluster."""
        return frozenset(map(Lane, _names(self.dask_lanes))) if self.dask_scheduler else frozenset()


def _names(value: str) -> list[str]:
    return [name for each in value.split(",") if (name := each.strip())]
