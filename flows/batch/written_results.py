"""Write the results of a batch beside their sources or below a target.

Nothing is written over unless somebody asks for it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.domain import names
from storage.domain.batch_outcomes import KnownState
from storage.domain.errors import AlreadyStored, BadRequest, StorageUnreachable, TranscriberError
from storage.domain.records import CueLimits, ExportFormat, Transcript, from_json
from storage.domain.result_template import ResultTemplate
from storage.files.batch_table import BatchRow, BatchTable
from storage.files.content_index import ContentIndex
from storage.files.file_store import Files, Root
from tasks.exports.writers import each

BESIDE = "beside"
"""The target that means the folder of each source."""
BESIDE_TEMPLATE = "{stem}.{format}"
TAKEN = "{target} is there already and is something else; name another target, or overwrite it by --overwrite"
IS_SOURCE = "{target} is a source of this batch, which is never written over; name another target or template"
NOT_WRITABLE = (
    "{target} could not be written ({reason}); check that its folder is there and may be written to, "
    "then repeat the batch"
)
SHARED = "{target} is the place of the result of {other}, too; use {{path}}, {{ext}} or {{job}} in the template"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlace:
    """A file to write: its folder or bucket, and its name there."""

    root: Root
    name: str
    shown: str


class Places:
    """Finds the place of a path or address; buckets are opened once."""

    def __init__(
        self,
        endpoint_url: str | None,
        may_write: Callable[[str], object] | None = None,
        *,
        umask: int | None = None,
    ) -> None:
        """New files are private, or as a umask says."""
        self._endpoint_url, self._may_write, self._umask = endpoint_url, may_write, umask
        self._buckets: dict[str, Root] = {}

    def at(self, base: str, name: str) -> TargetPlace:
        """Return the place of a name below a folder or address.

        Raises:
            NotAllowed: a worker may not write there.
            BadRequest: a link leads out of the folder, or nothing can be written there.
        """
        if "://" not in (base := base.removeprefix("file://")):
            base = str(Path(base).absolute())
        shown = f"{base.rstrip('/')}/{name}"
        if self._may_write:
            self._may_write(shown)
        if "://" in base:
            return self._object(shown)
        from storage.files.local_folder import Folder

        folder = Path(base)
        if not (folder / name).parent.resolve().is_relative_to(folder.resolve()):
            raise BadRequest("target", f"{shown} leads out of {base} by a link")
        return TargetPlace(root=Folder(folder, umask=self._umask), name=name, shown=shown)

    def _object(self, url: str) -> TargetPlace:
        from storage.files.s3_bucket import Bucket

        protocol, _, path = url.partition("://")
        bucket, _, name = path.partition("/")
        if protocol in {"http", "https"}:
            raise BadRequest("target", f"{url} is on a website, where nothing can be written; name a folder or bucket")
        root = f"{protocol}://{bucket}"
        if root not in self._buckets:
            self._buckets[root] = Bucket(root, self._endpoint_url)
        return TargetPlace(root=self._buckets[root], name=name, shown=url)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOrder:
    """Which results to write, where, and whether over other files."""

    dest: str
    template: ResultTemplate
    formats: tuple[ExportFormat, ...]
    overwrite: bool = False
    again: bool = False

    @classmethod
    def of(cls, dest: str, template: str | None, formats: Sequence[str], *, usual: str, **how: bool) -> "ResultOrder":
        """Return an order that was checked.

        Raises:
            BadRequest: the template or a format is none.
        """
        chosen = []
        for name in formats:
            try:
                chosen.append(ExportFormat(name))
            except ValueError:
                known = ", ".join(ExportFormat)
                raise BadRequest("formats", f"there is no format {name!r}; there are {known}") from None
        if not chosen:
            raise BadRequest("formats", "name one at least")
        text = template or (BESIDE_TEMPLATE if dest == BESIDE else usual)
        checked = ResultTemplate.of(text, formats=len(chosen))
        return cls(dest=dest, template=checked, formats=tuple(dict.fromkeys(chosen)), **how)


class ResultWriter:
    """Writes the results of files whose jobs are complete."""

    def __init__(
        self, order: ResultOrder, *, files: Files, places: Places, index: ContentIndex, table: BatchTable
    ) -> None:
        self._order, self._files, self._places = order, files, places
        self._index, self._table = index, table

    def write(self, row: BatchRow, known: KnownState) -> str:
        """Write what is missing of a file's results; return why some could not be written."""
        try:
            return self._written(row, known)
        except TranscriberError as error:
            return str(error)

    def _written(self, row: BatchRow, known: KnownState) -> str:
        stored_as = known.stored_as or ""
        made_of = {fmt: f"{stored_as} {fmt}" for fmt in self._order.formats}
        places = {fmt: self._place(row, known, fmt) for fmt in self._order.formats}
        for place in places.values():
            if self._table.has(place.shown):
                return IS_SOURCE.format(target=place.shown)
            if other := self._table.claim(place.shown, row.name):
                return SHARED.format(target=place.shown, other=other)
        written = {} if self._order.again else self._index.results([place.shown for place in places.values()])
        missing = [fmt for fmt, place in places.items() if written.get(place.shown) != made_of[fmt]]
        if not missing:
            return ""
        transcript = from_json(Transcript, self._files.read(names.required_in(names.TRANSCRIPTS, stored_as)))
        for fmt, data in each(transcript, missing, _limits(transcript)):
            if not self._put(places[fmt], data):
                return TAKEN.format(target=places[fmt].shown)
            self._index.keep_result(places[fmt].shown, made_of[fmt])
        return ""

    def _place(self, row: BatchRow, known: KnownState, fmt: ExportFormat) -> TargetPlace:
        beside = self._order.dest == BESIDE
        base = row.name.rpartition("/")[0] or "." if beside else self._order.dest
        relative = row.relative.rpartition("/")[2] if beside else row.relative
        values = {"format": fmt.spec.extension, "language": known.language or "unknown"}
        values |= {"model": names_of_model(known.model), "job": row.job_id or ""}
        metadata = json.loads(row.said).get("metadata", {})
        return self._places.at(base, self._order.template.name_for(relative, values, metadata))

    def _put(self, place: TargetPlace, data: bytes) -> bool:
        """Write a result where nothing is, or the same; return whether it is there."""
        try:
            place.root.create(place.name, data)
        except AlreadyStored:
            if place.root.read(place.name) == data:
                return True
            if not self._order.overwrite:
                return False
            place.root.write(place.name, [data])
        except StorageUnreachable as error:
            raise BadRequest("target", NOT_WRITABLE.format(target=place.shown, reason=error.reason)) from error
        return True


def names_of_model(model: str | None) -> str:
    """Return a model's name as a part of a path."""
    from storage.domain.model_names import display_name
    from storage.domain.result_template import one_part

    return one_part(display_name(model)) if model else "unknown"


def _limits(transcript: Transcript) -> CueLimits:
    return transcript.options.cues
