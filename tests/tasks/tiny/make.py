"""Makes the two tiny models beside it, in the form that sherpa-onnx asks for, so that its real code runs in tests.

The one takes sound for speaker 1 where it is low and for speaker 2 where it is high, the other's embedding is the mean
spectrum: two voices apart in pitch are two speakers. `uv run --with onnx python -m tests.tasks.tiny.make`
"""

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

HERE = Path(__file__).parent


def node(kind: str, inputs: str, output: str, **more: Any) -> Any:
    return helper.make_node(kind, inputs.split(), [output], **more)


def constant(name: str, values: Any) -> Any:
    return numpy_helper.from_array(np.asarray(values, dtype=np.float32), name)


def write(name: str, nodes: list[Any], ends: tuple[Any, Any], constants: list[Any], **metadata: object) -> None:
    """Write one model with the metadata that sherpa-onnx reads."""
    graph = helper.make_graph(nodes, name, [ends[0]], [ends[1]], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, str(value)
    checker.check_model(model)
    save(model, HERE / f"{name}.onnx")


def segmentation() -> None:
    """Scores nobody, one of three speakers or two of them, by loudness and by how fast the sound changes."""
    weights, bias = np.zeros((2, 7)), np.full(7, -50.0)
    bias[0] = 1.0
    weights[0, 1], weights[1, 1], bias[1] = 100, -300, -1
    weights[1, 2], bias[2] = 300, -30
    nodes = [
        node("Abs", "x", "loudness"),
        node("Conv", "x kernel", "steps", kernel_shape=[2], pads=[1, 0]),
        node("Abs", "steps", "change"),
        node("Concat", "loudness change", "both", axis=1),
        node("AveragePool", "both", "frames", kernel_shape=[991], strides=[270]),
        node("Transpose", "frames", "by_frame", perm=[0, 2, 1]),
        node("MatMul", "by_frame weights", "weighed"),
        node("Add", "weighed bias", "scores"),
        node("LogSoftmax", "scores", "y", axis=-1),
    ]
    ends = (
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, "T"]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", "F", 7]),
    )
    constants = [constant("weights", weights), constant("bias", bias), constant("kernel", [[[-1, 1]]])]
    write(
        "segmentation",
        nodes,
        ends,
        constants,
        model_type="pyannote-segmentation-3.0",
        version=1,
        sample_rate=16000,
        window_size=160000,
        receptive_field_size=991,
        receptive_field_shift=270,
        num_speakers=3,
        powerset_max_classes=2,
        num_classes=7,
    )


def embedding() -> None:
    """Gives the mean of the filter banks over time, without their level."""
    nodes = [
        node("ReduceMean", "feats", "spectrum", axes=[1], keepdims=0),
        node("ReduceMean", "spectrum", "level", axes=[1], keepdims=1),
        node("Sub", "spectrum level", "embs"),
    ]
    ends = (
        helper.make_tensor_value_info("feats", TensorProto.FLOAT, ["B", "T", 80]),
        helper.make_tensor_value_info("embs", TensorProto.FLOAT, ["B", 80]),
    )
    write(
        "embedding",
        nodes,
        ends,
        [],
        framework="wespeaker",
        language="English",
        url="",
        comment="",
        sample_rate=16000,
        output_dim=80,
        normalize_samples=1,
        feature_normalize_type="",
    )


if __name__ == "__main__":
    segmentation()
    embedding()
