"""What a start says at the end: where things are and what to do next, commands included."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from backend.launch.home import DEFAULT_HOME, HOME_VARIABLE, Home
from backend.launch.secrets import DEMO_ADMIN, DEMO_USER


def command_line(home: Home, program: str | None = None) -> str:
    """How ``nerloop`` is called from the present folder so that it finds this home.

    Args:
        home: The home in use.
        program: The program that runs; by default the one this process was started as.
    """
    path = Path(sys.argv[0] if program is None else program)
    if path.name != "nerloop":
        path = Path(sys.executable).with_name("nerloop")
    path, here = path.absolute(), Path.cwd()
    on_path = shutil.which("nerloop")
    if on_path is not None and Path(on_path).absolute() == path:
        shown = "nerloop"
    elif path.is_relative_to(here):
        shown = str(path.relative_to(here))
    else:
        shown = str(path)
    if home == Home.at(DEFAULT_HOME):
        return shown
    return f"{HOME_VARIABLE}={home.root} {shown}"


def admin_pages(port: int) -> str:
    """The address of the admin pages on this machine."""
    return f"http://127.0.0.1:{port}/admin"


def after_demo(
    url: str,
    project: int,
    password: str,
    command: str,
    home: Home,
    *,
    admin_url: str,
    admin_password: str | None,
) -> list[str]:
    """The lines printed when the demo is ready.

    Args:
        url: Label Studio's address.
        project: The demo project's number there.
        password: Of Label Studio's demo user.
        command: How ``nerloop`` is called.
        home: The home in use.
        admin_url: Address of the admin pages.
        admin_password: Of the demo's admin; None if that is a person's own secret by now.
    """
    login = f"user {DEMO_ADMIN}, password {admin_password}"
    if not admin_password:
        login = f"for those in `{command} admin list`, with their own passwords"
    return [
        "",
        f"ready: {url}/projects/{project}/data  (user {DEMO_USER}, password {password})",
        f"admin: {admin_url}  ({login})",
        "",
        "  1. Open that address, log in and press `Label All Tasks`: the spans you see are "
        "nerloop's first guesses.",
        "  2. Correct and submit about five texts; a training run then starts by itself, and a "
        "line below says so.",
        f"  3. Look at what it made on the admin pages, or with:  {command} versions list",
        f'  4. Let it serve the rest:   {command} promote 1 --reason "better on my texts"',
        f'     and, if you change your mind:  {command} rollback --reason "it was not"',
        "",
        f"Everything is kept in {home.root}; Ctrl-C stops all of it.",
    ]


def after_up(port: int, command: str, home: Home) -> list[str]:
    """The lines printed when nerloop without Label Studio is ready."""
    return [
        "",
        f"ready: http://127.0.0.1:{port}",
        f"admin: {admin_pages(port)}",
        "",
        f"  1. Connect a project:       {command} connect --url http://localhost:8080 --project 1",
        "     (it asks for your Label Studio token; Label Studio must run with "
        "ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false)",
        "     (--method label_aware trains an encoder in seconds instead of a language model)",
        f"  2. Label; then look:        {command} versions list",
        f'  3. Let a version serve:     {command} promote 1 --reason "better on my texts"',
        f"     To log in to the admin pages, add yourself:  {command} admin add NAME --role admin",
        "",
        f"Everything is kept in {home.root}; Ctrl-C stops all of it.",
    ]
