"""What ``label-studio-ml start`` runs: nerloop's own server, with the options its users know.

``app`` is the ASGI application, for ``uvicorn --app-dir backend/plugin _wsgi:app``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from model.errors import NerLoopError


def __getattr__(name: str) -> Any:
    # made when a server asks for it, not when this file is imported
    if name == "app":
        return _application()
    raise AttributeError(name)


def parser() -> argparse.ArgumentParser:
    """The options of label-studio-ml's own ``_wsgi.py``."""
    options = argparse.ArgumentParser(description="nerloop as a Label Studio ML backend")
    options.add_argument("-p", "--port", type=int, help="port to listen on, default 9090")
    options.add_argument("--host", help="address to listen on, default 127.0.0.1")
    options.add_argument("-d", "--debug", action="store_true", help="the same as --log-level DEBUG")
    options.add_argument("--log-level", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    options.add_argument("--model-dir", help="folder of all state, as NERLOOP_HOME")
    options.add_argument(
        "--kwargs",
        "--with",
        dest="settings",
        metavar="KEY=VAL",
        nargs="+",
        default=[],
        help="settings by the name of their environment variable, NERLOOP_MIN_SHOTS=10",
    )
    options.add_argument("--check", action="store_true", help="load the base model before serving")
    options.add_argument("--basic-auth-user", help="better: BASIC_AUTH_USER")
    options.add_argument("--basic-auth-pass", help="better: BASIC_AUTH_PASS, which nobody can read")
    return options


def environment(arguments: argparse.Namespace) -> dict[str, str]:
    """What the options mean as environment variables.

    Raises:
        NerLoopError: If a setting is not of the form KEY=VAL.
    """
    found: dict[str, str] = {}
    for pair in arguments.settings:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise NerLoopError(f"--with expects KEY=VAL, but got {pair!r}.")
        found[name] = value
    home = arguments.model_dir or os.environ.get("NERLOOP_HOME") or os.environ.get("MODEL_DIR")
    optional = {
        "NERLOOP_PORT": str(arguments.port) if arguments.port else None,
        "NERLOOP_HOST": arguments.host,
        "NERLOOP_HOME": home,
        "LOG_LEVEL": "DEBUG" if arguments.debug else arguments.log_level,
        "BASIC_AUTH_USER": arguments.basic_auth_user,
        "BASIC_AUTH_PASS": arguments.basic_auth_pass,
    }
    return found | {name: value for name, value in optional.items() if value}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare what a first start needs, then serve until stopped."""
    try:
        chosen = parser().parse_args(arguments)
        os.environ.update(environment(chosen))
        _prepare(check=chosen.check)
    except NerLoopError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        "nerloop's server starts. Training also needs the courier and the worker: "
        "`python -m backend.courier` and `python -m worker --queue slow` (`--queue fast` for the "
        "label-aware method), or `nerloop up`, which starts all of them."
    )
    from backend.__main__ import main as serve

    return serve()


def _prepare(*, check: bool) -> None:
    from rich.console import Console

    from backend.launch.preparation import prepare
    from backend.launch.steps import Steps
    from backend.settings import Settings

    settings = Settings.from_environ(os.environ)
    steps = Steps(Console())
    prepare(settings, steps)
    if check:
        from model.engine import Engine

        method = settings.method
        with steps.step("Checking that the base model loads"):
            Engine.open(
                settings.home, settings.base_of(method), method=method, threads=settings.threads
            )


def _application() -> Any:
    from backend.app import create_app
    from backend.settings import Settings

    return create_app(Settings.from_environ(os.environ))


if __name__ == "__main__":
    sys.exit(main())
