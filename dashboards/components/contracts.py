"""The data that Python passes to each component, declared for both sides.

`python -m tests.dashboards.components.declarations` generates `contracts.d.ts` from it for the JavaScript side, and a
test compares the two. Each component also gets its texts as `text`: see `TEXTS`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from dashboards import strings
from dashboards.strings.player import PLAYER


class CueSettings(TypedDict):
    """How cues are built, as `storage.domain.records.CueLimits` has it."""

    max_line_width: int
    max_line_count: int
    min_duration_s: float
    max_duration_s: float
    max_chars_per_s: float
    min_gap_s: float
    highlight_words: bool
    speakers: bool
    byte_order_mark: bool


class LoginData(TypedDict):
    """A form for login or registration; `provider` labels the OpenID button.

    A field has the attributes of its input, and `label` and `hint`, which stand above and below it.
    """

    action: str
    fields: Sequence[Mapping[str, str]]
    leave_to: str | None
    provider: str | None


class SessionData(TypedDict):
    """The data for session warnings and notifications; the theme and language of pages."""

    me: str
    name: str
    everybody: bool
    events_seen: int
    warn_s: int
    theme: str
    language: str
    paths: Sequence[str]


class DockData(TypedDict):
    """The footer of the sidebar; `run` changes with each full run of the script."""

    everybody: bool
    events_seen: int
    name: str
    role: str
    run: int


class LiveData(TypedDict):
    """Whose job events are wanted: one job's, one owner's, or everybody's."""

    owner: str | None
    job: str | None
    everybody: bool


class UploadSettings(TypedDict):
    """Settings of each added file.

    `options` is JSON, `tags` has commas between them, `shared` marks another app's files.
    """

    owner: str
    options: str
    lane: str
    tags: str
    max_bytes: int
    free_bytes: int
    shared: bool
    direct: bool


class UploadJob(TypedDict):
    """How the job of an upload is doing."""

    kind: str
    label: str
    active: bool
    progress: float
    detail: str
    error: str | None


class InputFormatChoice(TypedDict):
    """A format of recordings without a header; some have one rate."""

    value: str
    label: str
    rate_hz: int | None
    endings: Sequence[str]


class HeaderlessChoices(TypedDict):
    """What can be said of a recording without a header."""

    formats: Sequence[InputFormatChoice]
    lowest_hz: int
    highest_hz: int
    max_channels: int


class UploaderData(TypedDict):
    """The drop zone."""

    settings: UploadSettings
    headerless: HeaderlessChoices
    jobs: Mapping[str, UploadJob]


class JobProgress(TypedDict):
    """What changes in a job's row while it is worked on; /events carries it, too."""

    about: str
    length: str
    state: str
    kind: str
    label: str
    active: bool
    held: bool
    progress: float
    left: str
    error: str | None


class JobRow(JobProgress):
    """One recording in the list; `shared` if it is somebody else's, whose reader this is."""

    id: str
    name: str
    owner: str | None
    tags: Sequence[str]
    shared: bool
    when: str
    when_exact: str
    created: str


class ListFilter(TypedDict):
    """One of the links that narrow the list to a state."""

    key: str
    label: str
    count: int | None
    on: bool


class ListAction(TypedDict):
    """An action on several jobs and their states.

    `deleted` applies it to deleted ones, `shared` also to those of others; `held` to paused ones alone, or to those
    that are not.
    """

    name: str
    label: str
    confirm: str | None
    deleted: bool
    shared: bool
    held: bool | None
    states: Sequence[str]


class ListPage(TypedDict):
    """A page of the list, shared by equal queries; pairs are value and label."""

    rows: Sequence[JobRow]
    owner: str | None
    everybody: bool
    actions: Sequence[ListAction]
    deleted: bool
    filters: Sequence[ListFilter]
    query: Mapping[str, str]
    narrowed: bool
    after: str | None
    first: bool
    nothing: str
    languages: Sequence[tuple[str, str]]
    models: Sequence[str]
    tags: Sequence[str]
    owners: Sequence[tuple[str, str]]
    facts: Sequence[tuple[str, str]]


class JobListData(ListPage):
    """The list for one reader; `run` changes each time, `crowd` counts open pages."""

    run: int
    crowd: int


class FindingRow(TypedDict):
    """A stretch to check."""

    start_s: float
    end_s: float
    words: str


class PartialProgress(TypedDict):
    """How far the text so far is, while a recording is being transcribed."""

    attempt: int
    parts: int
    share: float


class PlayedMedia(TypedDict):
    """What the player plays: the source, or a copy of its sound.

    The source's clock begins at `start_s`, the copy's at 0. The copy is played where the browser cannot play the
    source, or always if it comes first.
    """

    source: str
    start_s: float
    copy: str | None
    copy_first: bool


class RecordingFacts(TypedDict):
    """What the player needs of a recording wherever it is shown.

    It is not `timed` if nobody measured when its words are said.
    """

    api: str
    transcript: str
    duration_s: float | None
    media: PlayedMedia
    language: str | None
    translated: bool
    timed: bool
    name: str
    findings: Sequence[FindingRow]
    limits: CueSettings


class PlayerData(RecordingFacts):
    """Player and transcript; `notes` and `passages` are how many there are, with replies and highlights.

    `revision` changes with whatever is said or done about the recording, so that open pages look again.
    """

    peaks: str | None
    captions: str
    version: int
    notes: int
    passages: int
    owns: bool
    revision: int
    may_edit: bool
    may_comment: bool
    sheets: Sequence[str]
    partial: PartialProgress | None


class DownloadFile(TypedDict):
    """A file to download with its caption settings; format `file` is the original."""

    url: str
    name: str
    format: str
    about: str
    settings: Sequence[str]


class DownloadsData(TypedDict):
    """A job's files, and the settings of its captions."""

    files: Sequence[DownloadFile]
    captions: CueSettings


class SearchMoment(TypedDict):
    """Where words were said; parts are text and whether it is marked."""

    start_s: float
    time: str
    speaker: str | None
    parts: Sequence[tuple[str, bool]]


class SearchResult(TypedDict):
    """A recording with its moments; `more` leads to the others."""

    id: str
    name: str
    about: str
    moments: Sequence[SearchMoment]
    more: str


class SearchAnswer(TypedDict):
    """What was found, and what is still missing."""

    results: Sequence[SearchResult]
    hints: Sequence[str]
    behind: str | None
    count: str | None
    page: int
    pages: int
    place: str


class SearchData(SearchAnswer):
    """The search page; `everybody` is None for whom that is no choice."""

    q: str
    everybody: bool | None
    examples: Sequence[tuple[str, str]]
    recent: Sequence[str]


TEXTS: dict[type, Mapping[str, Any]] = {
    LoginData: strings.LOGIN,
    SessionData: strings.SESSION,
    DockData: strings.DOCK,
    UploaderData: strings.UPLOADER | dict.fromkeys(("limit", "too_large", "no_room"), ""),
    JobListData: strings.LIST,
    PlayerData: PLAYER,
    DownloadsData: strings.DOWNLOADS,
    SearchData: strings.SEARCH,
}
