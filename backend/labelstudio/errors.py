"""What can go wrong between nerloop and Label Studio, in the words a user reads."""

from __future__ import annotations

from model.errors import NerLoopError


class UnsupportedConfigError(NerLoopError):
    """The labeling config has no <Labels> control on a plain <Text>, which nerloop needs."""


class LabelStudioError(NerLoopError):
    """Label Studio did not do what it was asked."""


class LabelStudioUnreachableError(LabelStudioError):
    """Label Studio does not answer at the given address."""


class LabelStudioRefusedError(LabelStudioError):
    """Label Studio refused the credentials."""


class LabelStudioNotFoundError(LabelStudioError):
    """Label Studio has no such project, task, webhook or backend."""


class LabelStudioAnswerError(LabelStudioError):
    """Label Studio answered in a way nerloop does not understand."""


class PushError(LabelStudioError):
    """Label Studio did not store all predictions that were pushed."""


class BackendUrlRefusedError(LabelStudioError):
    """Label Studio refused the backend's address, or made no webhook for it."""


class MissingTokenError(LabelStudioError):
    """No Label Studio token is stored for this project; run `nerloop connect` for it."""
