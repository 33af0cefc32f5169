"""The root of every error this project raises on purpose."""


class NerLoopError(Exception):
    """Something nerloop refuses to do; the message names the cause and the fix."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class OffsetError(NerLoopError):
    """A span's offsets do not lie inside its text, or do not give back the stated words."""


class LabelSetError(NerLoopError):
    """The label set is empty or names a label twice."""


class BaseModelError(NerLoopError):
    """The base model cannot be used: missing, damaged or of another digest."""


class AdapterError(NerLoopError):
    """The adapter cannot be used: damaged, of the wrong kind or made for another base model."""


class TrainingDataError(NerLoopError):
    """The annotations given do not allow a training run."""


class DivergedError(NerLoopError):
    """The loss is no longer a finite number; the run was stopped and nothing was saved."""


class OutOfMemoryError(NerLoopError):
    """Not enough memory, even in small parts: shorten the texts, or use a larger machine."""
