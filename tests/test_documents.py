"""What documents tell readers to type exists: commands, make targets, settings and routes of the API."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from typer._click.exceptions import UsageError
from typer.testing import CliRunner

from dashboards.http.route_scopes import ROUTE_SCOPES
from flows.cli.main import app
from tests.pictures import MOST_BYTES, PICTURES
from tests.storage.maintenance.legacy import LegacyApp
from tests.test_structure import OURS, ROOT, files_of

DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^ *```(?:sh|bash)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
OPERATORS = {"|", "||", "&&", ";", ">", ">>", "<", "&"}
ROUTE = re.compile(r"(?:\b(GET|POST|PUT|PATCH|DELETE) )?(/(?:api/)?v1/[^\s`\"'<>)?#]+)")
VARIABLE = re.compile(r"TRANSCRIBER_[A-Z][A-Z0-9_]*(?:_…|_\*)?")
PLACEHOLDER = re.compile(r"\{\w+\}|\$\w+|.*…")
PICTURE = re.compile(r"!\[[^]]+\]\((?:docs/)?pictures/([\w-]+)\.png\)")
TAKEN = re.compile(r'keep_picture\([\w.]+, f?"([^"]+)"\)')
MORE = "…"
CHEAP = (
    "transcriber admin create-user",
    "transcriber admin create-key",
    "transcriber admin backup",
    "transcriber admin retention set everybody",
    "transcriber admin retention show",
    "transcriber admin import-legacy",
    "transcriber models list",
)
"""Commands of documents that are really run, each in a data dir with an account."""
NOT_RUN = ("transcriber admin backup-key",)


def words_of(line: str) -> Iterator[list[str]]:
    """Yield the simple commands of a shell line, without what is before and after them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, ";"]:
        if word in OPERATORS:
            if command:
                yield command
            command = []
        else:
            command.append(word)


@cache
def typed(path: Path) -> tuple[list[str], ...]:
    """Return the commands in the shell blocks of a document, as lists of words."""
    lines = (line for block in BLOCK.findall(path.read_text()) for line in block.replace("\\\n", " ").splitlines())
    commands: list[list[str]] = []
    text = ""
    for line in lines:
        text = f"{text}\n{line}" if text else line
        try:
            commands += words_of(text)
        except ValueError:  # a quotation goes on in the next line
            continue
        text = ""
    assert not text, f"{path.name}: a quotation has no end: {text}"
    return tuple(commands)


def mentioned(path: Path, program: str) -> Iterator[list[str]]:
    """Yield a program's commands that a document names in a sentence."""
    for code in INLINE.findall(BLOCK.sub("", path.read_text())):
        if code.startswith(f"{program} "):
            yield shlex.split(code)


def problem_of(words: list[str], *, whole: bool) -> str | None:
    """Return what is wrong with a command of `transcriber`, or None; nothing is run.

    In a sentence, arguments and values may be left out.
    """
    command = typer.main.get_command(app)
    context = command.context_class(command, info_name="transcriber")
    rest = words[1:]
    while rest and (children := getattr(command, "commands", None)) and not rest[0].startswith(("-", MORE)):
        if rest[0] not in children:
            return f"there is no command {rest[0]!r}"
        command = children[rest.pop(0)]
        context = command.context_class(command, info_name=command.name, parent=context)
    if not whole:
        options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
        return next((f"no option {word!r}" for word in rest if word.startswith("-") and word not in options), None)
    try:
        command.parse_args(context, rest)
    except typer.Exit:  # `--help`
        return None
    except UsageError as error:
        return error.format_message()
    return None


def is_ours(words: list[str], program: str) -> bool:
    return Path(words[0]).name == program and "=" not in words[0]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_a_document_exists(path: Path) -> None:
    wrong = []
    for words, whole in [
        *((one, True) for one in typed(path)),
        *((one, False) for one in mentioned(path, "transcriber")),
    ]:
        own = words[next((n for n, word in enumerate(words) if "=" not in word), 0) :]
        if is_ours(own, "transcriber") and (problem := problem_of(own, whole=whole)):
            wrong.append(f"{shlex.join(own)}: {problem}")
    assert wrong == []


def test_every_make_target_in_a_document_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in DOCUMENTS:
        commands = [words for words in typed(path) if is_ours(words, "make")] + list(mentioned(path, "make"))
        told = {word for words in commands for word in words[1:] if "=" not in word}
        assert told <= targets, path.name


def test_every_setting_in_a_document_exists() -> None:
    code = [path.read_text() for package in (*sorted(OURS), "clients") for path in files_of(package)]
    more = [
        (ROOT / name).read_text() for name in ("Makefile", "docs/configuration.md")
    ]  # its table is tested elsewhere
    known = {name for text in [*code, *more] for name in re.findall(r"TRANSCRIBER_[A-Z0-9_]*[A-Z0-9]", text)}
    for path in DOCUMENTS:
        for name in set(VARIABLE.findall(path.read_text())):
            start = name.rstrip("…*")
            assert name in known or (start != name and any(one.startswith(start) for one in known)), (path.name, name)


def leads_to(route: str, path: str) -> bool:
    """Return whether a route as a document writes it is this one; an ellipsis at its end stands for more."""
    told, known = route.rstrip("/").split("/"), path.split("/")
    if told[-1] == MORE and len(told) <= len(known):
        told, known = told[:-1], known[: len(told) - 1]
    same = (
        one == other or (PLACEHOLDER.fullmatch(one) and other.startswith("{"))
        for one, other in zip(told, known, strict=False)
    )
    return len(told) == len(known) and all(same)


def test_every_route_in_a_document_exists() -> None:
    for document in DOCUMENTS:
        for method, told in ROUTE.findall(document.read_text()):
            route = told.rstrip(".,;:*")
            found = [methods for path, methods in ROUTE_SCOPES.items() if leads_to(route, path)]
            assert found, (document.name, told)
            assert not method or any(method in methods for methods in found), (document.name, method, told)


def test_commands_of_documents_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that take no time, in the order of the documents, in one data dir."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", "data")
    monkeypatch.setenv("TRANSCRIBER_PORT", "9")  # nobody listens there
    older = LegacyApp(tmp_path / "storage")
    older.add_job("a1")
    older.database.rename("app.db")
    runner, run = CliRunner(), []
    for words in (["transcriber", "admin", "create-user", "admin", "--role", "admin"], *map(list, all_typed())):
        line = shlex.join(words)
        if line.startswith(CHEAP) and not line.startswith(NOT_RUN):
            done = runner.invoke(app, words[1:])
            assert done.exit_code == 0, (line, done.output, done.exception)
            run.append(line)
    assert all(any(line.startswith(start) for line in run) for start in CHEAP)


def all_typed() -> Iterator[list[str]]:
    for path in DOCUMENTS:
        yield from (words for words in typed(path) if is_ours(words, "transcriber"))


def test_every_picture_in_a_document_is_small_and_taken_by_a_test() -> None:
    shown = {match for path in DOCUMENTS for match in PICTURE.findall(path.read_text())}
    assert shown == set(PICTURES) == {path.stem for path in (ROOT / "docs" / "pictures").iterdir()}
    for name, test in PICTURES.items():
        assert (ROOT / "docs" / "pictures" / f"{name}.png").stat().st_size <= MOST_BYTES
        path, _, function = test.partition("::")
        source = (ROOT / path).read_text().partition(f"def {function}(")[2].partition("\ndef ")[0]
        taken = [re.sub(r"\\{.+?\\}", ".+", re.escape(each)) for each in TAKEN.findall(source)]
        assert any(re.fullmatch(each, name) for each in taken), f"{test} does not take {name}"
