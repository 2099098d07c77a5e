"""The catalogues of translations are complete, and texts are written so that they can be translated."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message

from dashboards.strings.translated_module import TranslatedModule
from storage.domain.translation import ENGLISH, LANGUAGES
from tests import catalogue

TRANSLATED = [code for code in LANGUAGES if code != ENGLISH]
COMMAND = "run `python -m tests.catalogue`, and translate what it prints"
STRINGS = sorted((catalogue.ROOT / "dashboards" / "strings").glob("*.py"))


@pytest.fixture(scope="module", params=TRANSLATED)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def current(language: str) -> Catalog:
    return catalogue.current(language)


def forms(message: Message) -> list[tuple[str, str]]:
    """Return each translation with the English text that it is of."""
    if isinstance(message.id, str):
        return [(message.id, str(message.string))]
    one, many = message.id
    return [(one if place == 0 else many, text) for place, text in enumerate(message.string)]


def test_a_catalogue_has_the_texts_of_the_source(language: str) -> None:
    assert catalogue.path_of(language).read_bytes() == catalogue.updated(language), COMMAND


def test_every_text_is_translated(current: Catalog) -> None:
    assert [one.id for one in catalogue.untranslated(current)] == [], COMMAND
    assert [one.id for one in current if one.fuzzy and one.id] == []


def test_translations_have_the_places_of_their_texts(current: Catalog) -> None:
    """A place may stand elsewhere, and a language may write the percent sign in its own way."""
    wrong = [
        (english, text)
        for message in current
        if message.id
        for english, text in forms(message)
        if text
        if Counter(catalogue.PLACE.findall(english)) != Counter(catalogue.PLACE.findall(text))
        or len(re.findall(r"\*\*|`", english)) != len(re.findall(r"\*\*|`", text))
    ]
    assert wrong == []


def test_plurals_have_all_forms_of_the_language(current: Catalog) -> None:
    wrong = [m.id for m in current if m.pluralizable and len(m.string) != current.num_plurals]
    assert wrong == []


def spoken_in(path: Path) -> Iterator[ast.AST]:
    """Yield what the functions of a module of texts return beside calls of `gettext` and its like."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            inside = {
                id(node)
                for call in ast.walk(function)
                if isinstance(call, ast.Call) and ast.unparse(call.func) in catalogue.KEYWORDS
                for node in ast.walk(call)
            }
            docs = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Expr)}
            yield from (node for node in ast.walk(function) if id(node) not in inside | docs)


@pytest.mark.parametrize(
    "path", [one for one in STRINGS if one.stem != "translated_module"], ids=lambda path: path.stem
)
def test_functions_of_texts_say_all_through_gettext(path: Path) -> None:
    """An f-string, or a constant of the module read by its name, would stay English: write `_("… {x}", x=x)`."""
    name = "dashboards.strings" if path.stem == "__init__" else f"dashboards.strings.{path.stem}"
    module = import_module(name)
    assert isinstance(module, TranslatedModule), "call translate_constants(__name__)"
    texts = {
        key for key, value in vars(module).items() if key.isupper() and isinstance(value, str | dict | tuple | list)
    }
    english = [
        f"{path.name}: {ast.unparse(node)}"
        for node in spoken_in(path)
        if (isinstance(node, ast.Constant) and isinstance(node.value, str) and catalogue.WORD.search(node.value))
        or (isinstance(node, ast.Name) and node.id in texts)
    ]
    assert english == []


def test_no_text_is_read_before_the_reader_is_known() -> None:
    """A constant that is imported by its name, or read where a module begins, stays in one language."""
    early = []
    for path in sorted((catalogue.ROOT / "dashboards").rglob("*.py")):
        if path.parent.name == "strings" or path.stem == "contracts":
            continue
        tree, names = ast.parse(path.read_text(encoding="utf-8")), set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dashboards"):
                for alias in node.names:
                    if f"{node.module}.{alias.name}".startswith("dashboards.strings"):
                        names.add(alias.asname or alias.name)
                        early += [f"{path.name}:{node.lineno}: import {alias.name}"] * alias.name.isupper()
        early += [f"{path.name}: {ast.unparse(node)}" for node in at_import(tree) if reads(node, names)]
    assert early == []


def at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what runs when a module is imported: all but the bodies of functions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [*node.decorator_list, node.args]
        elif not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def reads(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names
