"""Compose sentences over a bounded vocabulary: a small grammar of business, household and travel notes.

The split is by the hash of a sentence's words, so a held-out sentence cannot be in the training material,
whichever seed composed it.
"""

import hashlib
import random
from collections.abc import Callable, Iterator

NAMES = "Anna David Maria Peter Sarah Thomas Julia Robert Oliver Emma".split()
CITIES = "London Berlin Paris Madrid Vienna Boston Chicago Toronto".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January April July October".split()
NUMBERS = "three five six seven nine ten twelve twenty thirty fifty hundred".split()
COUNTED = "minutes pages people tickets boxes pictures".split()
PAPERS = "report budget contract invoice message letter answer design".split()
PEOPLE = "customer manager team doctor teacher family".split()
PLACES = "office hotel market station garden kitchen".split()
EVENTS = "meeting dinner flight train".split()
NOUNS = (
    PAPERS
    + PEOPLE
    + PLACES
    + EVENTS
    + (
        "project server question problem product price number river weather music window table coffee bread ticket "
        "bridge luggage passport"
    ).split()
)
ADJECTIVES = "new old long short big small good early late quiet busy green yellow cheap final next important".split()
PAST_VERBS: dict[str, list[str]] = {
    "finished": [*PAPERS, "project", "dinner"],
    "opened": ["letter", "message", "window", "office", "hotel", "market"],
    "signed": ["contract", "letter", "invoice", "budget"],
    "checked": [*PAPERS, "server", "luggage", "passport", "ticket", "number", "price"],
    "moved": ["meeting", "table", "server", "office", "dinner"],
    "missed": ["train", "flight", "meeting", "dinner"],
    "discussed": [*PAPERS, "project", "problem", "product", "question", "price", "weather", "music"],
    "visited": [*PLACES, "doctor", "family", "river", "bridge", "customer"],
    "received": [*PAPERS, "ticket", "product", "passport"],
    "bought": ["ticket", "bread", "coffee", "product", "table", "luggage"],
    "sold": ["product", "office", "table", "hotel", "garden"],
    "found": ["passport", "ticket", "problem", "answer", "luggage", "hotel", "bridge"],
}
PLAIN_VERBS: dict[str, list[str]] = {
    "start": ["meeting", "project", "server", "dinner", "music"],
    "send": [*PAPERS, "ticket", "product", "luggage"],
    "change": [*PAPERS, "hotel", "ticket", "flight", "price", "number"],
    "write": PAPERS,
    "call": [*PEOPLE, "office", "hotel", "station"],
    "bring": [*PAPERS, "coffee", "bread", "passport", "luggage", "family"],
    "close": ["window", "office", "market", "project", "garden", "bridge"],
    "keep": [*PAPERS, "ticket", "table", "number"],
    "show": [*PAPERS, "product", "garden", "passport", "kitchen", "river"],
    "make": ["dinner", "coffee", "answer", "table", "design"],
    "take": [*EVENTS, "coffee", "ticket", "question", "bread"],
}
MODALS = "will can must should".split()
PRONOUNS = "we they she he you".split()
DETERMINERS = "the the a our this my every".split()
TIMES = "today tomorrow yesterday again now".split()
DAY_PARTS = "morning afternoon evening".split()
LINKS = "and but because".split()
OTHER_WORDS = "after before in on at from to with for about is was very not it please thank did where when".split()

VOCABULARY: tuple[str, ...] = tuple(
    dict.fromkeys(
        NAMES
        + CITIES
        + DAYS
        + MONTHS
        + NUMBERS
        + COUNTED
        + NOUNS
        + ADJECTIVES
        + [*PAST_VERBS, *PLAIN_VERBS]
        + MODALS
        + PRONOUNS
        + DETERMINERS
        + TIMES
        + DAY_PARTS
        + LINKS
        + OTHER_WORDS
    )
)
OPENERS: tuple[str, ...] = tuple(
    "The A Our This My Every We They She He You In On At After Before Please Thank Did Can Will Where When It Today "
    "Tomorrow Yesterday Now Again And But".split()
)
HELD_OUT_SHARE = 0.1


def held_out(sentence: str) -> bool:
    """Whether a sentence belongs to the held-out part; decided by its words alone, not by case or punctuation."""
    key = " ".join(words_of(sentence)).lower()
    return hashlib.sha256(key.encode()).digest()[0] < 256 * HELD_OUT_SHARE


def words_of(sentence: str) -> list[str]:
    """The words of a sentence without its punctuation, as written."""
    return [word.strip(".,?") for word in sentence.split()]


def compose(count: int, *, seed: int, held_out_part: bool) -> list[str]:
    """Distinct grammatical sentences from one part of the split."""
    rng = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        sentence = _sentence(rng)
        if held_out(sentence) == held_out_part:
            found[sentence] = None
    return list(found)


def compose_loose(count: int, *, seed: int) -> list[str]:
    """Training sentences of words in random order, so that the model must listen and cannot guess by grammar."""
    rng = random.Random(seed)
    return [sentence for sentence in (_loose_sentence(rng) for _ in range(count)) if not held_out(sentence)]


def sentences_of(total: int, *, seed: int, loose_share: float) -> Iterator[str]:
    """The training material of one voice: grammatical sentences and loose ones, shuffled together."""
    loose = compose_loose(round(total * loose_share), seed=seed)
    both = compose(total - len(loose), seed=seed, held_out_part=False) + loose
    random.Random(seed).shuffle(both)
    yield from both


def _loose_sentence(rng: random.Random) -> str:
    words = [rng.choice(VOCABULARY) for _ in range(rng.randint(2, 9))]
    first = rng.choice(OPENERS + tuple(NAMES)) if rng.random() < 0.9 else rng.choice(NAMES)
    if len(words) > 5 and rng.random() < 0.4:
        words[rng.randint(1, len(words) - 3)] += ","
    return f"{first} {' '.join(words)}."


def _sentence(rng: random.Random) -> str:
    text = rng.choices(_FORMS, weights=_WEIGHTS)[0](rng)
    return text[0].upper() + text[1:]


def _thing(rng: random.Random, nouns: list[str] = NOUNS) -> str:
    adjective = f"{rng.choice(ADJECTIVES)} " if rng.random() < 0.4 else ""
    determiner = rng.choice(DETERMINERS)
    phrase = f"{adjective}{rng.choice(nouns)}"
    if determiner == "a" and phrase[0] in "aeiou":
        determiner = "the"
    return f"{determiner} {phrase}"


def _done(rng: random.Random) -> str:
    verb = rng.choice(list(PAST_VERBS))
    return f"{verb} {_thing(rng, PAST_VERBS[verb])}"


def _to_do(rng: random.Random) -> str:
    verb = rng.choice(list(PLAIN_VERBS))
    return f"{verb} {_thing(rng, PLAIN_VERBS[verb])}"


def _who(rng: random.Random) -> str:
    return rng.choice([rng.choice(NAMES), rng.choice(NAMES), rng.choice(PRONOUNS), f"the {rng.choice(PEOPLE)}"])


def _when(rng: random.Random) -> str:
    return rng.choice(
        [
            f"on {rng.choice(DAYS)}",
            f"on {rng.choice(DAYS)} {rng.choice(DAY_PARTS)}",
            f"in {rng.choice(MONTHS)}",
            rng.choice(TIMES),
            f"after {_thing(rng, EVENTS)}",
            f"before {rng.choice(DAYS)}",
            f"in {rng.choice(NUMBERS)} minutes",
            f"at {rng.choice(NUMBERS[:7])} in the {rng.choice(DAY_PARTS)}",
        ]
    )


def _tail(rng: random.Random) -> str:
    return rng.choice(
        [
            _when(rng),
            _when(rng),
            f"in {rng.choice(CITIES)}",
            f"at the {rng.choice(PLACES)}",
            f"for {rng.choice(NAMES)}",
            f"with {rng.choice(NAMES)}",
            f"with {rng.choice(['the', 'our', 'my'])} {rng.choice(PEOPLE)}",
        ]
    )


def _past_clause(rng: random.Random) -> str:
    return f"{_who(rng)} {_done(rng)} {_tail(rng)}"


def _modal_clause(rng: random.Random) -> str:
    negation = "not " if rng.random() < 0.15 else ""
    return f"{_who(rng)} {rng.choice(MODALS)} {negation}{_to_do(rng)} {_tail(rng)}"


def _state_clause(rng: random.Random) -> str:
    very = rng.choice(["very ", "not ", "", ""])
    return f"{_thing(rng)} {rng.choice(['is', 'was'])} {very}{rng.choice(ADJECTIVES)}"


def _clause(rng: random.Random) -> str:
    return rng.choice([_past_clause, _modal_clause, _state_clause])(rng)


def _plain(rng: random.Random) -> str:
    return f"{_clause(rng)}."


def _fronted(rng: random.Random) -> str:
    return f"{_when(rng)}, {_clause(rng)}."


def _linked(rng: random.Random) -> str:
    return f"{_clause(rng)}, {rng.choice(LINKS)} {_clause(rng)}."


def _travel(rng: random.Random) -> str:
    start, end = rng.sample(CITIES, 2)
    verb = rng.choice(["is", "was"])
    return f"the {rng.choice(['train', 'flight'])} from {start} to {end} {verb} {rng.choice(ADJECTIVES)} {_when(rng)}."


def _counted(rng: random.Random) -> str:
    verb = rng.choice("finished checked moved missed received bought sold found".split())
    return f"{_who(rng)} {verb} {rng.choice(NUMBERS[:-1])} {rng.choice(COUNTED)} {_tail(rng)}."


def _request(rng: random.Random) -> str:
    return f"please {_to_do(rng)} {_tail(rng)}."


def _question(rng: random.Random) -> str:
    opening = rng.choice(["can we", "will you", "can you", "did you", "where can we", "when can you", "will they"])
    return f"{opening} {_to_do(rng)} {_tail(rng)}?"


def _thanks(rng: random.Random) -> str:
    return f"thank you for {_thing(rng)}{rng.choice(['', ' ' + _when(rng)])}."


def _price(rng: random.Random) -> str:
    return f"the {rng.choice(['price', 'number'])} for {_thing(rng)} was {rng.choice(NUMBERS[:-1])} {_tail(rng)}."


def _about(rng: random.Random) -> str:
    return f"{_who(rng)} discussed {_thing(rng, PAPERS)} about {_thing(rng)}, and it was {rng.choice(ADJECTIVES)}."


_FORMS: tuple[Callable[[random.Random], str], ...] = (
    _plain,
    _fronted,
    _linked,
    _travel,
    _counted,
    _request,
    _question,
    _thanks,
    _price,
    _about,
)
_WEIGHTS = (6, 4, 4, 2, 3, 2, 3, 0.7, 1, 1)
