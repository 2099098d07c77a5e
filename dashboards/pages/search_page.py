"""Full-text search of transcripts, with links to the matching moments."""

from typing import Any

import streamlit as st

from dashboards import components, strings
from dashboards.components.contracts import SearchAnswer, SearchMoment, SearchResult
from dashboards.pages import registry, viewer
from dashboards.pages.list_query import come_back
from dashboards.presenters import formatting
from dashboards.runtime import db, security_log
from dashboards.services import transcript_search
from dashboards.services.transcript_search import Answer, Result
from dashboards.strings import recordings as words
from storage.accounts import users
from storage.domain.errors import TranscriberError
from storage.search.snippets import Moment

RECENT = "searches"


@st.fragment
def query_and_results() -> None:
    """Show the search box and the results for the query in the address."""
    me = viewer.required()
    come_back("search", ("q", "page", "all"))
    asked = st.query_params.get("q", "").strip()
    everybody = me.is_admin and st.query_params.get("all") == "1"
    answer = find(me, asked, everybody=everybody) if asked else None
    people = _owners(answer, me)
    went = components.search(
        {
            "q": asked,
            "everybody": everybody if me.is_admin else None,
            "examples": words.SEARCH_EXAMPLES,
            "recent": [one for one in st.session_state.get(RECENT, []) if one != asked],
            **shown(answer, me, people),
        },
        on_ask=ask,
    )
    if went:
        st.switch_page(registry.page("job"), query_params=went)


def find(me: viewer.Viewer, asked: str, *, everybody: bool) -> Answer | None:
    """Search, or show why that is not possible now."""
    number = st.query_params.get("page", "1")
    if everybody:
        security_log.others_searched(me.user)
    try:
        answer = transcript_search.search(
            asked,
            owner_id=None if everybody else me.user.id,
            zone=me.zone,
            page=int(number) if number.isdecimal() and len(number) < 6 else 1,
        )
    except TranscriberError as error:
        viewer.refused(error)
        if st.button(words.TRY_AGAIN, icon=":material/replay:", key="again"):
            st.rerun(scope="fragment")
        return None
    if answer.results:
        st.session_state[RECENT] = list(dict.fromkeys([asked, *st.session_state.get(RECENT, [])]))[:6]
    return answer


def ask(wanted: Any) -> None:
    """Write the query to the address."""
    if not isinstance(wanted, dict):
        return
    told = {"q": str(wanted.get("q", ""))[:500], "page": wanted.get("page"), "all": wanted.get("everybody")}
    st.query_params.from_dict(
        ({"q": told["q"]} if told["q"] else {})
        | ({"page": str(told["page"])} if isinstance(told["page"], int) and told["page"] > 1 else {})
        | ({"all": "1"} if told["all"] else {})
    )


def shown(answer: Answer | None, me: viewer.Viewer, people: dict[str, str]) -> SearchAnswer:
    """Return an answer as the component's data."""
    if answer is None:
        return {"results": [], "hints": [], "behind": None, "count": None, "page": 1, "pages": 1, "place": ""}
    return {
        "results": [result(one, me, people) for one in answer.results],
        "hints": list(answer.query.hints),
        "behind": behind(answer),
        "count": count(answer),
        "page": answer.page,
        "pages": answer.pages,
        "place": f"{answer.page} / {answer.pages}",
    }


def _owners(answer: Answer | None, me: viewer.Viewer) -> dict[str, str]:
    """Return the names of the owners of others' recordings that were found."""
    found = {one.job.owner_id for one in answer.results} if answer else set()
    return db.look(users.names_of, found - {me.user.id}) if found - {me.user.id} else {}


def count(answer: Answer) -> str:
    """Return the number of results in words."""
    if answer.query.empty:
        return strings.SEARCH["nothing_asked"]
    if not answer.total:
        return strings.SEARCH["nothing"]
    return words.found(answer.total)


def behind(answer: Answer) -> str | None:
    """Return a note if the index is not up to date, with its progress."""
    if not answer.index.known:
        return strings.SEARCH["starting"]
    if not answer.index.behind:
        return None
    return f"{strings.SEARCH['behind']} {words.index_behind(answer.index.share, answer.index.behind)}"


def result(found: Result, me: viewer.Viewer, people: dict[str, str]) -> SearchResult:
    """Return one recording with its moments."""
    job, rest = found.job, found.moments.total - len(found.moments.shown)
    facts = (people.get(job.owner_id), formatting.day(job.created_at, me.zone), formatting.length(job.duration_s))
    return {
        "id": job.id,
        "name": job.name,
        "about": " · ".join(fact for fact in (*facts, formatting.language(job.language)) if fact),
        "moments": [moment(one) for one in found.moments.shown],
        "more": "" if rest <= 0 else words.more_moments(rest),
    }


def moment(one: Moment) -> SearchMoment:
    """Return a moment with its text in parts, highlighted or not."""
    parts, place = [], 0
    for start, end in one.marks:
        parts += [(one.text[place:start], False), (one.text[start:end], True)]
        place = end
    parts.append((one.text[place:], False))
    return {
        "start_s": round(one.start_s, 2),
        "time": formatting.length(one.start_s),
        "speaker": one.speaker,
        "parts": [part for part in parts if part[0]],
    }


def page() -> None:
    """Show the search page."""
    st.title(strings.PAGE["search"], anchor=False)
    query_and_results()
