"""Manifests of batches: rows, wrong rows and a million of them."""

import io
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from flows.batch.manifest import LONG_CELL, BatchManifest, opened_file
from flows.batch.source_files import BatchFile, SourceReader
from storage.domain.errors import BadRequest
from storage.domain.settings import Settings


def read(path: Path) -> list[BatchFile]:
    reader = SourceReader(Settings())
    return list(BatchManifest(str(path), lambda: opened_file(reader, str(path))).files(reader))


def written(tmp_path: Path, text: str | bytes, name: str = "list.csv") -> Path:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path / name


def test_a_row_has_a_source_options_tags_and_metadata(tmp_path: Path) -> None:
    header = "\ufeffsource,language,task,beam_size,word_timestamps,tags,name,meta_speaker\r\n"
    rows = 'in/a.wav,de,translate,3,false,"news, radio",Monday,Ann\r\n/b.wav,,,,,,,\r\n'
    first, second = read(written(tmp_path, header + rows))
    assert (first.name, first.relative) == (f"{tmp_path}/in/a.wav", "in/a.wav")
    assert first.notes.options == {"language": "de", "task": "translate", "beam_size": 3, "word_timestamps": False}
    assert (first.notes.title, first.notes.tags) == ("Monday", ("news", "radio"))
    assert first.notes.metadata == {"speaker": "Ann"}
    assert (second.name, second.relative, second.notes.options) == ("/b.wav", "b.wav", {})

    row = {"source": "s3://bucket/a//b.wav", "options": {"model": "base"}, "metadata": {"n": 1}, "tags": ["x"]}
    (line,) = read(written(tmp_path, json.dumps(row) + "\n\n", "list.jsonl"))
    assert (line.name, line.relative) == ("s3://bucket/a//b.wav", "a//b.wav")
    assert (line.notes.options, line.notes.metadata, line.notes.tags) == ({"model": "base"}, {"n": "1"}, ("x",))


def test_metadata_of_a_row_is_what_the_api_takes(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {"metadata": {"case no.": 17, "open": True}},
        {"metadata": {"a": ["b"]}},
        {"metadata": {"": "x"}},
    ]
    rows = "\n".join(json.dumps({"source": "/a.wav"} | line) for line in lines)
    right, *wrong = read(written(tmp_path, rows, "list.jsonl"))
    assert right.notes.metadata == {"case no.": "17", "open": "true"}
    assert ["metadata" in file.problem or "meta_" in file.problem for file in wrong] == [True, True]


def test_metadata_that_cannot_be_kept_rejects_its_row_alone(tmp_path: Path) -> None:
    wrong, right = read(written(tmp_path, f"source,meta_note\n/a.wav,{'x' * 1001}\n/b.wav,short\n"))
    assert "metadata" in wrong.problem
    assert right.notes.metadata == {"note": "short"}


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("source,langauge", "row 1, column 2: there is no column 'langauge'; did you mean 'language'?"),
        ("path,language", "row 1 has no column 'source', but 'path', 'language'"),
        ("source,source", "row 1: the column 'source' is there twice"),
        ("", "row 1 has no column 'source', but nothing"),
        ("source;language", "with commas between the columns"),
        ("source\tlanguage", "with commas between the columns"),
        ("\0s\0o\0u\0r\0c\0e", "save the manifest as UTF-8"),
    ],
)
def test_wrong_columns_are_refused_and_named(tmp_path: Path, header: str, problem: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(written(tmp_path, f"{header}\na.wav,en\n"))
    assert problem in str(refused.value)


def test_a_wrong_row_is_rejected_by_itself_with_row_and_column(tmp_path: Path) -> None:
    rows = [b"source,beam_size", b"a.wav,3", b"b.wav,many", b",1", b"c.wav", b"d\xff.wav,1", b"e.wav,"]
    found = read(written(tmp_path, b"\n".join(rows)))
    assert [file.problem.partition(":")[0] for file in found] == [
        "",
        "row 3, column 'beam_size'",
        "row 4, column 'source'",
        "row 5",
        "row 6, column 'source'",
        "",
    ]
    lines = ['{"source": "a.wav"}', "[]", "{", '{"source": 1}', '{"source": "b", "speed": 1}', '{"source": "ftp:"}']
    wrong = [file.problem for file in read(written(tmp_path, "\n".join(lines), "list.jsonl"))]
    assert [bool(problem) for problem in wrong] == [False, True, True, True, True, False]
    assert wrong[4].startswith("row 5, column 'speed': there is no column 'speed'")


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        ('{"source": "b\\ud800.wav"}', "source", "no UTF-8"),
        ('{"source": "/b.wav", "name": "x\\udfff"}', "name", "no UTF-8"),
        ('{"source": "/b.wav", "tags": ["x", "\\ud83d"]}', "tags", "no UTF-8"),
        ('{"source": "/b.wav", "metadata": {"\\ud83d": "x"}}', "meta_?", "no UTF-8"),
        ('{"source": "/b.wav", "tags": {"a": 1}}', "tags", "no list of texts"),
        ('{"source": "/b.wav", "tags": ["x", null]}', "tags", "no list of texts"),
        ('{"source": "/b.wav", "name": ["x"]}', "name", "no text"),
        ('{"source": "/b.wav", "tags": ' + "[" * 900 + "]" * 900 + "}", "tags", "no list of texts"),
    ],
)
def test_values_that_cannot_be_kept_reject_their_row_alone(tmp_path: Path, row: str, column: str, said: str) -> None:
    lines = '{"source": "/a.wav"}\r\n' + row + '\r\n\r\n{"source": "/c.wav"}'
    first, wrong, last = read(written(tmp_path, lines, "list.jsonl"))
    assert (first.problem, last.problem) == ("", "")
    assert wrong.problem.startswith(f"row 2, column {column!r}: ")
    assert said in wrong.problem


@pytest.mark.parametrize(
    ("name", "head", "row", "said"),
    [
        ("list.jsonl", "", '{{"source": "/{}"}}', "row 2: it has 1,048,576 bytes or more"),
        ("list.csv", "source,meta_note\n", "/{},1", f"row 3: {LONG_CELL}"),
    ],
)
def test_a_row_that_is_too_long_is_passed_over(tmp_path: Path, name: str, head: str, row: str, said: str) -> None:
    text = head + "\n".join(row.format(source) for source in ("a.wav", "x" * 3_000_000, "c.wav"))
    first, wrong, last = read(written(tmp_path, text, name))
    assert (first.problem, wrong.problem, last.problem) == ("", said, "")
    assert last.name == "/c.wav"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'[\n {"source": "/a.wav"}\n]', "it is a JSON array; write an object on each line"),
        ('{"source": "/a.wav"}\n'.encode("utf-16"), "save the manifest as UTF-8"),
        (b'{"source": "' + b"x" * 2_000_000, "is this a manifest?"),
    ],
)
def test_what_is_no_jsonl_is_refused_as_a_whole(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(said)):
        read(written(tmp_path, data, "list.jsonl"))


def test_a_manifest_at_an_address_names_no_files_of_this_machine() -> None:
    lines = ['{"source": "/etc/passwd"}', '{"source": "file:///etc/passwd"}', '{"source": "../x.wav"}']

    manifest = BatchManifest("https://host/list.jsonl", lambda: io.BytesIO("\n".join(lines).encode()))
    found = list(manifest.files(SourceReader(Settings())))
    assert all(file.problem for file in found)
    assert len(found) == 3
    assert manifest.share == 1.0


def test_the_rows_of_a_large_manifest_are_read_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    with path.open("w") as file:
        file.write("source,language\n")
        file.writelines(f"in/{number}.wav,en\n" for number in range(8_000))

    def peak_bytes() -> int:
        reader = SourceReader(Settings())
        rows = BatchManifest(str(path), lambda: opened_file(reader, str(path))).files(reader)
        next(rows)
        tracemalloc.start()
        assert sum(not file.problem for file in rows) == 7_999
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert min(peak_bytes() for _ in range(3)) < 1_000_000  # threads of other tests take some meanwhile
