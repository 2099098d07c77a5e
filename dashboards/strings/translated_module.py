"""A module of texts whose constants are read in the reader's language.

Texts are written as English constants. Where another module reads one, as in `words.SAVE`, it gets the translation;
tables are translated with all values in them. Functions of the module call `gettext` and `ngettext`.
"""

import sys
from types import ModuleType
from typing import Any

from storage.domain.translation import ENGLISH, gettext, language


class TranslatedModule(ModuleType):
    """A module whose upper-case attributes are translated when they are read.

    https://docs.python.org/3/reference/datamodel.html#customizing-module-attribute-access
    """

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if not name.isupper() or (code := language()) == ENGLISH:
            return value
        kept: dict[tuple[str, str], Any] = super().__getattribute__("__dict__").setdefault("__translated__", {})
        if (code, name) not in kept:
            kept[code, name] = _translated(value)
        return kept[code, name]


def translate_constants(module: str) -> None:
    """Let the constants of the named module be read in the reader's language."""
    sys.modules[module].__class__ = TranslatedModule


def _translated(value: Any) -> Any:
    """Return a text or table with its values translated; keys stay."""
    if type(value) is str:
        return gettext(value)
    if isinstance(value, dict):
        return {key: _translated(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_translated(inner) for inner in value)
    return value
