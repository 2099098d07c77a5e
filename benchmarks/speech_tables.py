"""Markdown tables of `bench_speech`, from its results: errors, false text, cost, and how many times less it is."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Found = dict[str, Any]
OURS = "ours"
SIZED = "batched"
NOTE = """
Beam 5, int8, word times, language found out (of each utterance, in the mixed recording). Sequential: faster-whisper's
defaults; sequential-vad: with `vad_filter` and without `condition_on_previous_text`; batched:
`BatchedInferencePipeline` in batches of 4, 8 and 16, shown is the one that took the fewest processor seconds; alone:
each utterance cut out and heard by itself, sequentially. Peers have two threads on two cores: one takes about as many
processor seconds and more time. Times are judged by the known text, aligned by the same model to each clip alone at
one level; after a short pause that is itself unsure by some tenths of a second. A sentence is lost when less than a
third of its words were heard.
""".strip()


def tables(found: Sequence[Found], *, model: str) -> str:
    """Return all tables that the results have rows for."""
    spoken = [each for each in found if each["words"]]
    empty = [each for each in found if not each["words"]]
    parts = [
        errors(spoken, model),
        false_text(empty, model),
        cost(spoken, model),
        by_language(spoken, model),
        ratios(spoken, model),
    ]
    return "\n\n".join(part for part in [*parts, NOTE] if part)


def without_wall(found: Sequence[Found]) -> list[Found]:
    """Return the results without wall seconds, as of a machine that does other work."""
    return [each | {"wall_s": None} for each in found]


def names(found: Iterable[Found], key: str) -> list[str]:
    """Return the values of a key in order."""
    return list(dict.fromkeys(each[key] for each in found))


def best_sizes(found: Sequence[Found]) -> dict[str, str]:
    """Return for each kind the batched pipeline's size of batch that took the fewest processor seconds."""
    sized: dict[str, dict[str, float]] = {}
    for each in found:
        if each["system"].startswith(f"{SIZED} "):
            kind = sized.setdefault(each["kind"], {})
            kind[each["system"]] = kind.get(each["system"], 0.0) + each["cpu_s"]
    return {kind: min(sizes, key=lambda size: sizes[size]) for kind, sizes in sized.items()}


def shown(found: Sequence[Found]) -> list[Found]:
    """Return the results with one size of batch for each kind, called by it in the cells."""
    best = best_sizes(found)
    kept = [
        each for each in found if not each["system"].startswith(f"{SIZED} ") or best[each["kind"]] == each["system"]
    ]
    return [
        each | ({"system": SIZED, "size": each["system"].split()[1]} if each["system"].startswith(f"{SIZED} ") else {})
        for each in kept
    ]


def grid(head: str, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> str:
    """Return a table, or nothing where it has no row."""
    if not rows:
        return ""
    lines = [f"### {title}", "", f"| {head} | {' | '.join(columns)} |", "|" + "---|" * (len(columns) + 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def errors(found: Sequence[Found], model: str) -> str:
    """Word errors: the mean over languages, and each."""
    some = shown(found)
    systems = names(some, "system")
    rows = []
    for kind in names(some, "kind"):
        of_kind = [each for each in some if each["kind"] == kind]
        languages = sorted(names(of_kind, "language"))
        told = f"{kind} ({' '.join(languages)})" if len(languages) > 1 else kind
        rows.append([told, *(_percents([each for each in of_kind if each["system"] == one]) for one in systems)])
    title = f"Word errors in percent, `{model}`: mean (each language)"
    return grid("recordings", systems, rows, title)


def _percents(found: Sequence[Found]) -> str:
    each = sorted(found, key=lambda one: str(one["language"]))
    cells = ["no end" if one.get("no_end") else f"{one['percent']:.1f}" for one in each]
    if not cells or len(cells) == 1:
        return "".join(cells) or "–"
    ended = [one["percent"] for one in each if not one.get("no_end")]
    return f"**{statistics.mean(ended):.1f}** ({' '.join(cells)})" if ended else "no end"


def false_text(found: Sequence[Found], model: str) -> str:
    """Words heard where nobody speaks."""
    some = [each for each in found if each["system"] != "alone"]
    systems = names(some, "system")
    by_place = {(each["kind"], each["system"]): each for each in some}

    def cell(kind: str, system: str) -> str:
        each = by_place.get((kind, system))
        return "–" if each is None else "no end" if each.get("no_end") else str(each["heard_words"])

    rows = [[kind, *(cell(kind, system) for system in systems)] for kind in names(some, "kind")]
    return grid("nobody speaks, 60 s", systems, rows, f"Words heard in recordings without speech, `{model}`")


COST = (
    "processor s",
    "wall s",
    "MB beside the model",
    "second hearings (s)",
    "s of speech without text",
    "sentences lost",
    "languages right",
    "word starts off, ms: median (95%)",
    "cuts (in doubt)",
)


def cost(found: Sequence[Found], model: str) -> str:
    """What each system took for the recordings of a kind together, and what is missing in them."""
    some = shown(found)
    rows = []
    for kind in names(some, "kind"):
        for system in names(some, "system"):
            if each := [one for one in some if (one["kind"], one["system"]) == (kind, system)]:
                called = f"{system} {each[0]['size']}" if "size" in each[0] else system
                rows.append([f"{kind}: {called}", *_costs(each)])
    return grid("recordings: system", COST, rows, f"Cost and what is missing, `{model}`, int8, all languages together")


def _costs(found: Sequence[Found]) -> list[str]:
    def total(key: str) -> float:
        return float(sum(each[key] for each in found))

    known = "reheard" in found[0]
    timed = [each for each in found if each["median_s"] is not None]
    weights = sum(each["times"] for each in timed)

    def over_times(key: str) -> float:
        return float(1000 * sum(each[key] * each["times"] for each in timed) / max(1, weights))

    lost = sum(len(each["sentences_lost"]) for each in found)
    return [
        f"{total('cpu_s'):.1f}",
        f"{total('wall_s'):.1f}" if found[0]["wall_s"] is not None else "–",
        f"{max(each['beside_mb'] for each in found):.0f}",
        f"{total('reheard'):.0f} ({total('reheard_s'):.1f})" if known else "–",
        f"{total('no_text_s'):.1f}" if known else "–",
        f"{lost} of {total('sentences'):.0f}",
        f"{total('languages_right'):.0f} of {total('sentences'):.0f}",
        f"{over_times('median_s'):.0f} ({over_times('late_s'):.0f})" if timed else "–",
        f"{total('seams'):.0f} ({total('seams_doubted'):.0f})" if known else "–",
    ]


def by_language(found: Sequence[Found], model: str) -> str:
    """Processor seconds, wall seconds and memory for each long recording."""
    some = [each for each in found if " min" in each["kind"]]
    systems = names(some, "system")
    rows = []
    for kind in names(some, "kind"):
        for language in sorted(names(some, "language")):
            cells = []
            for system in systems:
                place = (kind, language, system)
                each = [one for one in some if (one["kind"], one["language"], one["system"]) == place]
                told = [f"{one['cpu_s']:.0f} / {_whole(one['wall_s'])} / {one['beside_mb']:.0f}" for one in each]
                cells.append("".join(told) or "–")
            rows.append([f"{kind}, {language}", *cells])
    title = f"Processor seconds / wall seconds / MB beside the model, `{model}`, int8"
    return grid("recording", systems, rows, title)


def _whole(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.0f}"


def ratios(found: Sequence[Found], model: str) -> str:
    """Ours beside the baseline and beside the batched pipeline at its best, for all languages that both heard."""
    rows = []
    for kind in names(found, "kind"):
        here = [each for each in found if each["kind"] == kind]
        if not any(each["system"] == OURS for each in here):
            continue
        baselines = [name for name in names(here, "system") if name.startswith("baseline ")]
        sizes = [name for name in names(here, "system") if name.startswith(f"{SIZED} ")]
        row = [kind]
        for others, key, pick in ((baselines, "cpu_s", min), (sizes, "cpu_s", min), (sizes, "wall_s", max)):
            row.append(_ratio(here, others, key, pick))
        rows += [row] if set(row[1:]) != {"–"} else []
    columns = (
        "processor s, ours / baseline",
        "ours / batched at its cheapest",
        "wall s, batched at its fastest / ours",
    )
    return grid("recordings", columns, rows, f"How many times less, `{model}`")


def _ratio(found: Sequence[Found], others: Sequence[str], key: str, pick: Callable[..., Any]) -> str:
    """Return ours over the best of the others, or, for `max`, the best of the others over ours."""

    def totals(system: str, languages: set[str]) -> float:
        return float(sum(each[key] for each in found if each["system"] == system and each["language"] in languages))

    def heard_by(system: str) -> set[str]:
        return {each["language"] for each in found if each["system"] == system}

    shared = heard_by(OURS).intersection(*map(heard_by, others)) if others else set[str]()
    if not shared or any(each[key] is None for each in found):
        return "–"
    mine, best = totals(OURS, shared), min(totals(name, shared) for name in others)
    return f"{best / mine:.2f}" if pick is max else f"{mine / best:.2f}"
