"""What the model names of OpenAI's clients mean on this server."""

from dashboards.runtime import context
from storage.domain.errors import ModelNotFound
from storage.domain.model_names import display_name, parse_aliases

AUTO = "auto"


def model_for(name: str | None) -> str:
    """Return the model that a client's name means now; without a name, the default model.

    Raises:
        ModelNotFound: it is neither in the table of aliases nor on a worker, or could not be had.
    """
    if name is None:
        return AUTO
    models = _aliases().get(name)
    if models is None:
        state = context.workers().has(name)
        if state is None or state.state == "failed" or name != display_name(name):
            raise ModelNotFound(name)
        return name
    return next((model for model in models if _is_here(model)), models[-1])


def usable() -> list[str]:
    """Return the names that are answered without a download, aliases first."""
    beats = context.workers().alive()
    states = [model for beat in beats for model in (*beat.models, beat.default_model) if model]
    ready = {display_name(model.name) for model in states if model.state == "ready"}
    aliases = [name for name, models in _aliases().items() if any(map(_is_here, models))]
    return [*aliases, *sorted(ready - set(aliases))]


def _aliases() -> dict[str, tuple[str, ...]]:
    return parse_aliases(context.settings().web.model_aliases)


def _is_here(model: str) -> bool:
    """Return whether a worker has the model; `auto` is always, if not yet."""
    state = None if model == AUTO else context.workers().has(model)
    return model == AUTO or (state is not None and state.state == "ready")
