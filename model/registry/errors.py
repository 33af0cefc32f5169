"""What can go wrong in the registry, in the words a user reads."""

from model.errors import NerLoopError


class RegistryError(NerLoopError):
    """The registry refused a request."""


class RegistryBusyError(RegistryError):
    """The database is busy with another writer; try again in a moment."""


class RegistryUnavailableError(RegistryError):
    """The database does not answer or broke off; what was begun is tried again."""


class UnknownProjectError(RegistryError):
    """There is no such project; connect it first with `nerloop connect`."""


class UnknownVersionError(RegistryError):
    """There is no such adapter version; `nerloop versions list` shows those that exist."""


class LostRaceError(RegistryError):
    """Somebody else moved the alias first; look at the versions again, then decide anew."""


class NothingToRollBackError(RegistryError):
    """No earlier version was served in this project, so there is nothing to roll back to."""


class ArtifactError(RegistryError):
    """An adapter's files are missing, damaged or not of the allowed kinds."""


class FenceLostError(RegistryError):
    """This holder lost its run to another one; its result is dropped."""
