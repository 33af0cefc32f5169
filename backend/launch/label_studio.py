"""A private Label Studio for the demo: its environment, its data and how to see that it is up."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx

from backend.launch.home import Home
from backend.launch.label_studio_install import Environment
from backend.launch.secrets import DEMO_USER, LocalSecrets
from backend.launch.services import Service, bare_environment

START_SECONDS = 180.0
_ASKED_ONCE = ".nerloop-ready"

SWITCHES = {
    # both must be off, or Label Studio refuses a backend on this machine, the second silently
    "ML_BLOCK_LOCAL_IP": "false",
    "SSRF_PROTECTION_ENABLED": "false",
    # nothing leaves the machine
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "FEATURE_FLAGS_OFFLINE": "true",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "NO_PROXY": "127.0.0.1,localhost",
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
}
"""Settings of the demo's Label Studio that are the same on every machine."""


def data_folder(home: Home) -> Path:
    """Where Label Studio keeps its database; data of a first start cut short is removed."""
    data = home.label_studio / "data"
    if data.exists() and not (data / _ASKED_ONCE).exists():
        # it never answered, so nobody can have labelled anything in it
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True)
    return data


def was_started_before(home: Home) -> bool:
    """Whether its database is complete, so that a start takes seconds and not half a minute."""
    return (home.label_studio / "data" / _ASKED_ONCE).exists()


def label_studio_service(
    home: Home, environment: Environment, port: int, secrets: LocalSecrets
) -> Service:
    """Describe the program; user, password and token go by its environment."""
    data = data_folder(home)
    variables = bare_environment() | SWITCHES
    variables |= {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_USERNAME": DEMO_USER,
        "LABEL_STUDIO_PASSWORD": secrets.label_studio_password,
        "LABEL_STUDIO_USER_TOKEN": secrets.label_studio_token,
    }
    command = [str(environment.program), "start", "--no-browser", "--internal-host", "127.0.0.1"]
    return Service(
        name="label-studio",
        command=(*command, "--port", str(port)),
        environment=variables,
        folder=data,
        log=home.logs / "label-studio.log",
    )


def label_studio_answers(home: Home, port: int, token: str) -> bool:
    """Whether it is up and knows its user; remembered for :func:`data_folder`."""
    address = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(timeout=5, trust_env=False) as client:
            if client.get(f"{address}/health").status_code != httpx.codes.OK:
                return False
            headers = {"Authorization": f"Token {token}"}
            known = client.get(f"{address}/api/current-user/whoami", headers=headers)
    except httpx.HTTPError:
        return False
    if known.status_code != httpx.codes.OK:
        return False
    (home.label_studio / "data" / _ASKED_ONCE).touch()
    return True
