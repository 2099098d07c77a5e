"""Parse search queries: words, prefixes, phrases, AND, OR, NOT, and filters.

No input is an error: what cannot be interpreted is ignored, with a hint.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo

MAX_CHARS = 500
MAX_LEAVES = 32
MAX_DEPTH = 20

QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"') | {"（": "(", "）": ")", "：": ":", "\u3000": " "})
PIECE = re.compile(
    r"""
    (?P<space>\s+) | (?P<open>\() | (?P<close>\)) |
    (?P<minus>[-−](?=[^\s)-]))? (?: (?P<field>speaker|language|lang|after|before|name) : )?
    (?: "(?P<quoted>[^"]*)(?P<end>"?) | (?P<bare>[^\s()"]+) )? """,
    re.VERBOSE | re.IGNORECASE,
)
MONTH, YEAR = re.compile(r"(\d{4})-(\d{1,2})"), re.compile(r"\d{4}")


@dataclass(frozen=True, slots=True)
class Leaf:
    """Words to find; several form a phrase, and `prefix` makes the last one a prefix."""

    text: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """Everything that the part does not match."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class And:
    """What every part matches."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """What any part matches."""

    parts: tuple["Node", ...]


Node = Leaf | Not | And | Or


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parsed query; filters apply to all of it, and repeated filters mean either value."""

    node: Node | None = None
    speakers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    without_languages: tuple[str, ...] = ()
    without_names: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    hints: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return self.node is None and not (
            self.speakers
            or self.languages
            or self.names
            or self.without_languages
            or self.without_names
            or self.since
            or self.until
        )


def parse(text: str, zone: tzinfo) -> Query:
    """Parse a query; dates are days in `zone`."""
    return _Parser(text, zone).query()


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: str  # "leaf", "open", "close", "not", "and", "or"
    leaf: Leaf | None = None


class _Parser:
    """Recursive descent over the tokens: OR binds least, then AND (also implicit), then NOT."""

    def __init__(self, text: str, zone: tzinfo) -> None:
        self.zone = zone
        self.hints: list[str] = []
        self.filters: dict[str, list[str]] = {}
        self.since: datetime | None = None
        self.until: datetime | None = None
        self.pieces = self._pieces(self._cleaned(text))
        self.at = 0
        self.leaves = 0
        self.depth = 0

    def query(self) -> Query:
        found: list[Node] = []
        while self.at < len(self.pieces):
            if (part := self._either()) is not None:
                found.append(part)
            if self._peek() == "close":
                self.at += 1
                self._hint("A “)” has no “(” before it and was left out.")
        node = And(tuple(found)) if len(found) > 1 else (found[0] if found else None)
        values = {field: tuple(dict.fromkeys(told)) for field, told in self.filters.items()}
        return Query(node=node, since=self.since, until=self.until, hints=tuple(self.hints), **values)

    def _cleaned(self, text: str) -> str:
        text = unicodedata.normalize("NFC", text.translate(QUOTES))
        text = "".join(char if char.isprintable() else " " for char in text).strip()
        if len(text) > MAX_CHARS:
            self._hint(f"Only the first {MAX_CHARS} characters were looked at.")
        return text[:MAX_CHARS]

    def _hint(self, words: str) -> None:
        if words not in self.hints:
            self.hints.append(words)

    def _pieces(self, text: str) -> list[_Piece]:
        pieces: list[_Piece] = []
        place = 0
        while place < len(text):
            match = PIECE.match(text, place)
            if match is None or match.end() == place:
                place += 1
                continue
            place = match.end()
            pieces += self._piece(match)
        return pieces

    def _piece(self, match: re.Match[str]) -> list[_Piece]:
        for kind in ("open", "close"):
            if match[kind]:
                return [_Piece(kind)]
        negated = [_Piece("not")] if match["minus"] else []
        if match["quoted"] is not None:
            if not match["end"]:
                self._hint("A quotation mark has no partner: everything after it was taken as one phrase.")
            value, prefix = match["quoted"].strip(), False
        elif (bare := match["bare"]) is not None:
            if not match["field"] and bare in {"AND", "OR", "NOT", "|", "&"}:
                return [*negated, _Piece({"|": "or", "&": "and"}.get(bare, bare.lower()))]
            value, prefix = bare.rstrip("*"), bare.endswith("*")
        else:
            value, prefix = "", False
            if match["field"]:
                self._hint(f"“{match['field']}:” needs a value right behind it.")
                return []
        if match["field"]:
            self._filter(match["field"].lower(), value, negated=bool(negated))
            return []
        return [*negated, _Piece("leaf", Leaf(value, prefix))] if value else []

    def _filter(self, field: str, value: str, *, negated: bool) -> None:
        if not value:
            self._hint(f"“{field}:” needs a value right behind it.")
        elif field in {"after", "before"}:
            self._date(field, value)
        elif field == "speaker":
            if negated:
                self._hint("“-speaker:” is not known; it was left out.")
            else:
                self.filters.setdefault("speakers", []).append(value)
        else:
            where = {"lang": "languages", "language": "languages", "name": "names"}[field]
            self.filters.setdefault(f"without_{where}" if negated else where, []).append(value)

    def _date(self, field: str, value: str) -> None:
        day = _day(value)
        if day is None:
            self._hint(f"“{field}:” needs a date such as 2026-03-31, 2026-03 or 2026; “{value}” was left out.")
            return
        instant = datetime.combine(day, time(), tzinfo=self.zone)
        if field == "after":
            self.since = max(self.since, instant) if self.since else instant
        else:
            self.until = min(self.until, instant) if self.until else instant

    def _peek(self) -> str | None:
        return self.pieces[self.at].kind if self.at < len(self.pieces) else None

    def _either(self) -> Node | None:
        parts = [self._all()]
        while self._peek() == "or":
            self.at += 1
            parts.append(self._all())
        return _joined(Or, parts)

    def _all(self) -> Node | None:
        parts: list[Node | None] = []
        while (kind := self._peek()) not in {None, "or", "close"}:
            if kind == "and":
                self.at += 1
            else:
                parts.append(self._one())
        return _joined(And, parts)

    def _one(self) -> Node | None:
        piece = self.pieces[self.at]
        self.at += 1
        if piece.kind == "not":
            negated = True
            while self._peek() == "not":
                self.at += 1
                negated = not negated
            part = self._one() if self._peek() in {"leaf", "open"} else None
            return Not(part) if part is not None and negated else part
        if piece.kind == "open":
            return self._group()
        self.leaves += 1
        if self.leaves > MAX_LEAVES:
            self._hint(f"Only the first {MAX_LEAVES} words were looked for.")
            return None
        return piece.leaf

    def _group(self) -> Node | None:
        if self.depth >= MAX_DEPTH:
            self._hint("There are too many “(” within each other; the innermost were left out.")
            return None
        self.depth += 1
        inner = self._either()
        self.depth -= 1
        if self._peek() == "close":
            self.at += 1
        else:
            self._hint("A “(” is never closed; it was closed at the end.")
        return inner


def _joined(kind: type[And] | type[Or], parts: list[Node | None]) -> Node | None:
    real = tuple(part for part in parts if part is not None)
    return kind(real) if len(real) > 1 else (real[0] if real else None)


def _day(value: str) -> date | None:
    try:
        if YEAR.fullmatch(value):
            return date(int(value), 1, 1)
        if match := MONTH.fullmatch(value):
            return date(int(match[1]), int(match[2]), 1)
        return date.fromisoformat(value)
    except ValueError:
        return None
