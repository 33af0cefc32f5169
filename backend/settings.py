"""The backend's and the courier's settings: the environment, read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from backend.secret_values import Secret
from model.errors import NerLoopError
from model.lanes import DEFAULT_METHOD, LANES, lane_kind

T = TypeVar("T")
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 9090
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class SettingsError(NerLoopError):
    """A setting has a value that cannot be used."""


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """The user name and password Label Studio signs its calls with."""

    user: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything configurable about the backend and the courier.

    Attributes:
        home: Folder of all state: database, adapters, base models, secrets.
        database_url: Address of the database, as SQLAlchemy writes it.
        redis_url: Address of Redis.
        base: Catalogue name or folder of the language model.
        base_adapter: Folder of its version 0's adapter; None means the shipped one.
        encoder: Catalogue name or folder of the label-aware method's encoder.
        encoder_adapter: Folder of its base adapter; None means the shipped one.
        method: What new projects train with, where nobody names another.
        basic_auth: What callers of the ML API must present; None opens it.
        admin_token: What callers of ``/admin/api`` must present; None closes it.
        host: Address to listen on.
        port: Port to listen on.
        log_level: One of the names of the standard library.
        threads: CPU threads of the engine; None leaves it to torch.
        pass_seconds: Longest time between two passes of the courier.
        time_scale: Multiplies the courier's intervals; tests make it small.
        min_shots: New shots that start a training run.
        idle_seconds: Quiet time after which fewer shots start one too.
        label_studio_url: Label Studio's address for projects registered by themselves.
        label_studio_token: Token used where no project has its own.
    """

    home: Path
    database_url: Secret
    redis_url: Secret
    base: str = LANES["cllmfs"].base
    base_adapter: Path | None = None
    encoder: str = LANES["label_aware"].base
    encoder_adapter: Path | None = None
    method: str = DEFAULT_METHOD
    basic_auth: BasicAuth | None = None
    admin_token: Secret | None = None
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    log_level: str = "INFO"
    threads: int | None = None
    pass_seconds: float = 60.0
    time_scale: float = 1.0
    min_shots: int = 5
    idle_seconds: float = 600.0
    label_studio_url: str = "http://localhost:8080"
    label_studio_token: Secret | None = None

    @property
    def secrets(self) -> Path:
        """The folder of tokens, readable by the owner alone."""
        return self.home / "secrets"

    @property
    def artifacts(self) -> Path:
        """The folder of adapters."""
        return self.home / "artifacts"

    def base_of(self, method: str) -> str:
        """The base model that a method works on.

        Raises:
            UnknownLaneError: If no project can use the method.
        """
        return self.base if lane_kind(method).queue == "slow" else self.encoder

    def adapter_of(self, method: str) -> Path | None:
        """Folder of a method's base adapter; None means the shipped one.

        Raises:
            UnknownLaneError: If no project can use the method.
        """
        slow = lane_kind(method).queue == "slow"
        return self.base_adapter if slow else self.encoder_adapter

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the environment; an empty variable counts as absent.

        Raises:
            SettingsError: If a value cannot be used; the message names the variable, what it
                holds (unless it is a secret) and what is expected.
        """
        read = _Reader(environ)
        home = Path(read.first("NERLOOP_HOME", default=".nerloop")).expanduser().absolute()
        database = read.first("DATABASE_URL", default=f"sqlite:///{home / 'nerloop.db'}")
        return cls(
            home=home,
            database_url=Secret(database),
            redis_url=Secret(_redis_url(read)),
            base=read.first("NERLOOP_BASE", default=LANES["cllmfs"].base),
            base_adapter=read.folder("NERLOOP_BASE_ADAPTER"),
            encoder=read.first("NERLOOP_ENCODER", default=LANES["label_aware"].base),
            encoder_adapter=read.folder("NERLOOP_ENCODER_ADAPTER"),
            method=_method(read),
            basic_auth=_basic_auth(read),
            admin_token=_admin_token(read, home),
            host=read.first("NERLOOP_HOST", "HOST", default=DEFAULT_HOST),
            port=read.number(int, "NERLOOP_PORT", "PORT", default=DEFAULT_PORT, low=1, high=65535),
            log_level=_log_level(read),
            threads=read.number(int, "NERLOOP_THREADS", default=0, low=0, high=1024) or None,
            pass_seconds=read.number(float, "NERLOOP_PASS_SECONDS", default=60.0, low=0.05),
            time_scale=read.number(float, "NERLOOP_TIME_SCALE", default=1.0, low=0.001, high=1000),
            min_shots=read.number(int, "NERLOOP_MIN_SHOTS", default=5, low=1),
            idle_seconds=read.number(float, "NERLOOP_IDLE_SECONDS", default=600.0, low=0.0),
            label_studio_url=_label_studio_url(read),
            label_studio_token=_secret(
                read.first("LABEL_STUDIO_API_KEY", "LABEL_STUDIO_ACCESS_TOKEN")
            ),
        )


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def named(self, *names: str) -> tuple[str, str]:
        for name in names:
            value = self._environ.get(name, "").strip()
            if value:
                return name, value
        return names[0], ""

    def first(self, *names: str, default: str = "") -> str:
        return self.named(*names)[1] or default

    def folder(self, name: str) -> Path | None:
        path = self.first(name)
        return Path(path).expanduser().absolute() if path else None

    def number(
        self, kind: Callable[[str], T], *names: str, default: T, low: float, high: float = 1e9
    ) -> T:
        name, value = self.named(*names)
        if not value:
            return default
        what = "a whole number" if kind is int else "a number"
        try:
            found = kind(value)
            inside = low <= float(value) <= high
        except ValueError:
            inside = False
        if not inside:
            limits = f"from {low:g} to {high:g}" if high < 1e9 else f"of at least {low:g}"
            raise SettingsError(f"{name} is {value!r}, but {what} {limits} is expected.")
        return found


def _secret(value: str) -> Secret | None:
    return Secret(value) if value else None


def _redis_url(read: _Reader) -> str:
    name, url = read.named("REDIS_URL")
    if not url:
        host = read.first("REDIS_HOST", default="127.0.0.1")
        port = read.number(int, "REDIS_PORT", default=6379, low=1, high=65535)
        return f"redis://{host}:{port}/0"
    if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise SettingsError(
            f"{name} cannot be read, but an address like redis://127.0.0.1:6379/0 is expected."
        )
    return url


def _basic_auth(read: _Reader) -> BasicAuth | None:
    user_name, user = read.named("BASIC_AUTH_USER", "ML_SERVER_BASIC_AUTH_USER")
    pass_name, password = read.named("BASIC_AUTH_PASS", "ML_SERVER_BASIC_AUTH_PASS")
    if not user and not password:
        return None
    if not user:
        raise SettingsError(f"{pass_name} is set, but {user_name} is not; both are expected.")
    if not password:
        raise SettingsError(f"{user_name} is set, but {pass_name} is not; both are expected.")
    if ":" in user:
        raise SettingsError(f"{user_name} holds a colon, which Basic auth does not allow.")
    return BasicAuth(user, _strong(pass_name, password))


def _admin_token(read: _Reader, home: Path) -> Secret | None:
    name, token = read.named("NERLOOP_ADMIN_TOKEN")
    if token:
        return _strong(name, token)
    path = home / "secrets" / "admin.token"
    try:
        kept = path.read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read, but one line of text is expected.") from error
    return _strong(str(path), kept) if kept else None


def _strong(name: str, value: str) -> Secret:
    secret = Secret(value)
    if secret.is_weak:
        raise SettingsError(
            f"{name} holds a well-known or trivial value, but a secret of your own is expected, "
            "for example the output of: openssl rand -hex 24"
        )
    return secret


def _method(read: _Reader) -> str:
    method = read.first("NERLOOP_METHOD", default=DEFAULT_METHOD)
    if method not in LANES:
        raise SettingsError(
            f"NERLOOP_METHOD is {method!r}, but one of {', '.join(LANES)} is expected."
        )
    return method


def _log_level(read: _Reader) -> str:
    level = read.first("LOG_LEVEL", default="INFO").upper()
    if level not in LOG_LEVELS:
        raise SettingsError(
            f"LOG_LEVEL is {level!r}, but one of {', '.join(LOG_LEVELS)} is expected."
        )
    return level


def _label_studio_url(read: _Reader) -> str:
    name, url = read.named("LABEL_STUDIO_URL", "LABEL_STUDIO_HOST")
    if not url:
        return "http://localhost:8080"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(
            f"{name} is {url!r}, but an address like http://localhost:8080 is expected."
        )
    return url.rstrip("/")
