"""Keeps the catalogues of translations up to date with the source.

Run `python -m tests.catalogue` after a change of texts: it writes new texts to each `messages.po`, drops those that are
gone, and prints what has to be translated.
"""

import ast
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po
from pydantic_settings import BaseSettings

from dashboards import strings
from dashboards.strings.translated_module import TranslatedModule
from storage.domain import settings
from storage.domain.audit_actions import AuditAction
from storage.domain.export_formats import ExportFormat
from storage.domain.job_actions import JobAction
from storage.domain.scopes import Scope
from storage.domain.settings.environment import heading
from storage.domain.translation import ENGLISH, LANGUAGES, LOCALES

ROOT = Path(__file__).parents[1]
KEYWORDS = {
    "_": (0,),
    "gettext": (0,),
    "marked": (0,),
    "ngettext": (0, 1),
    "BadRequest": (1,),
    "LinkSpent": (0,),
    "NotAllowed": (0, 1),
    "NotFound": (0,),
    "NotReady": (0,),
    "NotSignedIn": (0,),
    "RegistrationClosed": (0,),
    "SummaryFailed": (1,),
}
"""The functions and errors whose arguments are translated, and which of them."""
WORD = re.compile(r"[^\W\d_]{2}")
PLACE = re.compile(r"\{[^{}]*\}")


def template() -> Catalog:
    """Return all texts of the source, with the files that have them."""
    found = Catalog(fuzzy=False)
    for place, text in [*_calls(), *_constants(), *_specs(), *_settings()]:
        if WORD.search(text if isinstance(text, str) else text[0]):
            found.add(text, locations=[(place, 0)])
    return found


def _calls() -> Iterator[tuple[str, str | tuple[str, str]]]:
    """Yield the texts in calls of `gettext` and its like."""
    for path in sorted(path for package in ("dashboards", "storage") for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in KEYWORDS:
                place = path.relative_to(ROOT).as_posix()
                texts = [_text(node.args[at], place) for at in KEYWORDS[name] if at < len(node.args)]
                if name == "ngettext":
                    yield place, (texts[0][0], texts[1][0])
                else:
                    yield from ((place, text) for found in texts for text in found)


def _text(argument: ast.expr, place: str) -> list[str]:
    """Return the texts that an argument can be; none if it is made elsewhere."""
    if isinstance(argument, ast.IfExp):
        return _text(argument.body, place) + _text(argument.orelse, place)
    return [argument.value] if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else []


def _constants() -> Iterator[tuple[str, str]]:
    """Yield the constants of the modules of texts."""
    names = ["dashboards.strings", *(f"dashboards.strings.{one.name}" for one in iter_modules(strings.__path__))]
    for module in map(import_module, names):
        if not isinstance(module, TranslatedModule):
            continue
        place = Path(str(module.__file__)).relative_to(ROOT).as_posix()
        for name, value in vars(module).items():
            if name.isupper() and not name.startswith("_"):
                yield from ((place, text) for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    if type(value) is str:
        yield value
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _specs() -> Iterator[tuple[str, str]]:
    """Yield the words of actions, formats and scopes, which their tables have."""
    for action in JobAction:
        spec = action.spec
        for text in (spec.label, spec.done, spec.changing, spec.confirm):
            if text:
                yield "storage/domain/job_actions.py", text
    yield from (("storage/domain/export_formats.py", fmt.spec.label) for fmt in ExportFormat)
    yield from (("storage/domain/audit_actions.py", one.spec.label) for one in AuditAction)
    for scope in Scope:
        yield from (("storage/domain/scopes.py", text) for text in (scope.spec.label, scope.spec.about))


def _settings() -> Iterator[tuple[str, str]]:
    """Yield the headings and descriptions of settings, which the configuration page shows."""
    for concern in (vars(settings)[name] for name in settings.__all__):
        if issubclass(concern, BaseSettings):
            place = f"{concern.__module__.replace('.', '/')}.py"
            yield place, heading(concern)
            yield from ((place, field.description or "") for field in concern.model_fields.values())


def path_of(language: str) -> Path:
    return LOCALES / language / "LC_MESSAGES" / "messages.po"


def current(language: str) -> Catalog:
    """Return a language's catalogue as it is stored."""
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=language, fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str) -> bytes:
    """Return a language's catalogue with the texts of the source; a changed text is untranslated, not guessed."""
    catalogue = current(language)
    catalogue.update(template(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    written = BytesIO()
    write_po(written, catalogue, width=120, omit_header=True, sort_output=False, include_lineno=False)
    return _header(language).encode() + written.getvalue()


def _header(language: str) -> str:
    """Return the start of a language's file, which is written by hand: the glossary and the facts of the catalogue."""
    path = path_of(language)
    if path.exists():
        return path.read_text(encoding="utf-8").split("\n\n", 1)[0] + "\n\n"
    forms = Catalog(locale=language).plural_forms
    facts = [f"Language: {language}", "Content-Type: text/plain; charset=utf-8", f"Plural-Forms: {forms}"]
    return "\n".join(['msgid ""', 'msgstr ""', *(f'"{fact}\\n"' for fact in facts)]) + "\n\n"


def untranslated(catalogue: Catalog) -> list[Message]:
    return [one for one in catalogue if one.id and not all([one.string] if isinstance(one.string, str) else one.string)]


def main() -> int:
    """Update the catalogues; return 1 if a translation is missing."""
    missing = 0
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        path_of(language).parent.mkdir(parents=True, exist_ok=True)
        path_of(language).write_bytes(updated(language))
        for message in untranslated(current(language)):
            missing += 1
            sys.stdout.write(f"{path_of(language).relative_to(ROOT)}: {message.id!r}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
