"""Names of models as readers see them, and as API clients send them."""

import pytest

from storage.domain.model_names import DEFAULT_ALIASES, display_name, parse_aliases
from storage.domain.settings import WebSettings
from tasks.models.catalogue import CATALOGUE


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("large-v3", "large-v3"),
        ("/srv/models/danish-large", "danish-large"),
        ("/srv/models/danish-large/", "danish-large"),
        ("", ""),
    ],
)
def test_a_model_is_shown_by_its_name_and_never_by_a_path(model: str, shown: str) -> None:
    assert display_name(model) == shown


def test_aliases_name_models_in_order_and_a_name_alone_is_itself() -> None:
    assert parse_aliases(" house = large-v3 | auto, small ,") == {"house": ("large-v3", "auto"), "small": ("small",)}


@pytest.mark.parametrize(
    "text", ["=small", "house=|", "house=/srv/small", "a b=small", "house=small||auto", "house=a=b"]
)
def test_aliases_that_make_no_sense_are_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="is not name=model"):
        WebSettings(model_aliases=text, _env_file=None)


def test_every_model_that_can_be_downloaded_may_be_asked_for_by_its_name() -> None:
    assert parse_aliases(DEFAULT_ALIASES).keys() >= CATALOGUE.keys()
