"""Modules that a library imports beside the functions that we use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


@contextmanager
def imported_when_used(name: str, **given: Any) -> Iterator[None]:
    """Let what is imported within import this module only once it uses it.

    What is given of the module is used without it.
    `importlib.util.LazyLoader` imports it at the next `import` of it in Python 3.11, used or not.
    """
    if name in sys.modules:
        yield
        return
    stand_in = ModuleType(name)
    stand_in.__dict__.update(given)

    def leave() -> None:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]

    def attribute_of(attribute: str) -> Any:
        leave()
        return getattr(import_module(name), attribute)

    stand_in.__dict__["__getattr__"] = attribute_of
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        leave()
