"""Why a start is refused; every message names the cause and the fix."""

from model.errors import NerLoopError


class LaunchError(NerLoopError):
    """nerloop could not be started on this machine."""


class HomeError(LaunchError):
    """The home folder cannot be used; choose another one with --home."""


class AlreadyRunningError(LaunchError):
    """nerloop already runs in this home folder."""


class PortTakenError(LaunchError):
    """A port nerloop needs is used by another program."""


class DiskSpaceError(LaunchError):
    """There is not enough room on the disk."""


class InstallError(LaunchError):
    """Label Studio could not be installed."""


class ServiceError(LaunchError):
    """A program nerloop started did not become ready; its log says why."""
