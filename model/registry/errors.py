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


class AmbiguousProjectError(RegistryError):
    """Two connected Label Studios have a project of this number; disconnect one of them."""


class UnknownVersionError(RegistryError):
    """There is no such adapter version; `nerloop versions list` shows those that exist."""


class UnknownRunError(RegistryError):
    """There is no such training run; `nerloop runs list` shows those that exist."""


class NoReasonError(RegistryError):
    """A reason is required: it is what the audit trail keeps."""


class AlreadyServedError(RegistryError):
    """That version is served already; nothing was changed."""


class UnknownPolicyError(RegistryError):
    """There is no such promotion policy."""


class StaleVerdictError(RegistryError):
    """The lane was looked at or the policy was changed meanwhile; judge the candidate anew."""


class LostRaceError(RegistryError):
    """Somebody else moved the alias first; look at the versions again, then decide anew."""


class NothingToRollBackError(RegistryError):
    """No earlier version was served in this project, so there is nothing to roll back to."""


class CondemnedError(RegistryError):
    """The version's files are deleted or soon will be; `nerloop versions list` shows the others."""


class KeptVersionError(RegistryError):
    """The version is in use, so it cannot be archived."""


class RequestIdReusedError(RegistryError):
    """This request id was used for another change already; every change needs one of its own."""


class ArtifactError(RegistryError):
    """An adapter's files are missing, damaged or not of the allowed kinds."""


class FenceLostError(RegistryError):
    """This holder lost its run to another one; its result is dropped."""


class UnknownPersonError(RegistryError):
    """There is no such person; `nerloop admin list` shows those that exist."""


class PersonError(RegistryError):
    """That cannot be done with this person."""


class WeakPasswordError(RegistryError):
    """The password is too easy to guess."""
