"""The free memory of a device, here that of the machine."""

import pytest

from tasks.models.device_memory import free_bytes, visible_name


def test_the_cpu_has_the_machines_memory_and_a_missing_gpu_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (free_bytes("cpu") or 0) > 2**20
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert free_bytes("cuda:99") is None


@pytest.mark.parametrize(
    ("number", "visible", "name"),
    [(1, None, "1"), (0, "3", "3"), (1, "3, GPU-5ab", "GPU-5ab"), (2, "3,4", "")],
)
def test_a_device_is_named_as_the_driver_knows_it(number: int, visible: str | None, name: str) -> None:
    assert visible_name(number, visible) == name
