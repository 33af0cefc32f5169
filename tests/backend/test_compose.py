"""docker-compose.yml names only commands, settings, ports and paths that exist."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.cli.application import build
from backend.launch import label_studio, probe
from backend.launch.checks import free_port
from backend.launch.label_studio_install import VERSION
from backend.settings import Settings
from model.lanes import QUEUES
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
OURS = ("prepare", "backend", "courier", "worker", "worker-fast")
SECRET = re.compile(r"PASS|TOKEN|SECRET|API_KEY|USERNAME|_USER$")


class Recorder(Mapping[str, str]):
    """An environment that remembers which names were asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_given, self.asked = values, set[str]()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_given)

    def __len__(self) -> int:
        return len(self.values_given)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def resolved(value: object) -> str:
    """A value with ``${NAME:-default}`` and ``${NAME:?...}`` filled in as compose would."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
    return re.sub(r"\$\{\w+:\?[^}]*\}", "a-good-value", text)


def test_all_services_are_there(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {*OURS, "redis", "postgres", "label-studio"}


@pytest.mark.parametrize("name", OURS)
def test_commands_exist(services: dict[str, dict[str, Any]], name: str) -> None:
    command = services[name]["command"]
    if command[0] == "nerloop":
        assert command[1] in {item.name for item in build().registered_commands}
        return
    assert command[:2] == ["python", "-m"]
    package = importlib.util.find_spec(command[2])
    assert package is not None
    assert importlib.util.find_spec(f"{command[2]}.__main__") is not None
    if name.startswith("worker"):
        assert command[3] == "--queue"
        assert command[4] in QUEUES


def test_every_queue_has_its_worker(services: dict[str, dict[str, Any]]) -> None:
    workers = [item["command"] for name, item in services.items() if name.startswith("worker")]
    assert sorted(command[4] for command in workers) == sorted(QUEUES)


@pytest.mark.parametrize("name", OURS)
def test_settings_exist_and_can_be_read(services: dict[str, dict[str, Any]], name: str) -> None:
    given = {key: resolved(value) for key, value in services[name]["environment"].items()}
    web, queue = Recorder(given), Recorder(given)
    settings = Settings.from_environ(web)
    worker_settings = WorkerSettings.from_environ(queue)
    assert set(given) <= web.asked | queue.asked
    assert settings.home == worker_settings.home == Path("/var/lib/nerloop")
    assert settings.database_url.reveal().startswith("postgresql+psycopg://nerloop:")
    assert settings.redis_url.reveal() == worker_settings.redis_url


def test_the_backend_listens_where_it_is_published_and_probed(
    services: dict[str, dict[str, Any]],
) -> None:
    backend = services["backend"]
    port = backend["environment"]["NERLOOP_PORT"]
    assert backend["environment"]["NERLOOP_HOST"] == "0.0.0.0"
    assert backend["ports"] == [f"127.0.0.1:{port}:{port}"]
    *_, module, probed = backend["healthcheck"]["test"]
    assert importlib.util.find_spec(module) is not None
    assert probed == port
    assert probe.main([str(free_port())]) == 1  # nobody answers there


def test_every_server_has_a_health_check_and_everybody_waits_for_it(
    services: dict[str, dict[str, Any]],
) -> None:
    for name in ("backend", "redis", "postgres", "label-studio"):
        assert services[name]["healthcheck"]["test"], name
    for name in ("backend", "courier", "worker", "worker-fast"):
        waits = services[name]["depends_on"]
        assert waits["prepare"]["condition"] == "service_completed_successfully"
        assert waits["postgres"]["condition"] == "service_healthy"
        assert waits["redis"]["condition"] == "service_healthy"


def test_addresses_name_services_on_their_own_ports(services: dict[str, dict[str, Any]]) -> None:
    for name in OURS:
        environment = services[name]["environment"]
        for variable in ("DATABASE_URL", "REDIS_URL", "LABEL_STUDIO_URL"):
            found = re.search(r"(?:@|//)([a-z-]+):(\d+)", resolved(environment[variable]))
            assert found is not None, variable
            ports = {"postgres": "5432", "redis": "6379", "label-studio": "8080"}
            assert found[2] == ports[found[1]]
            assert found[1] in services


def test_label_studio_is_the_version_and_has_the_switches_of_the_demo(
    services: dict[str, dict[str, Any]],
) -> None:
    served = services["label-studio"]
    assert served["image"].endswith(f":{VERSION}")
    for switch in ("ML_BLOCK_LOCAL_IP", "SSRF_PROTECTION_ENABLED"):
        assert served["environment"][switch] == label_studio.SWITCHES[switch] == "false"
    assert "8080" in served["command"]
    data = served["environment"]["LABEL_STUDIO_BASE_DATA_DIR"]
    assert f"label-studio:{data}" in served["volumes"]


def test_every_volume_is_declared(
    compose: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    used = {line.split(":")[0] for item in services.values() for line in item.get("volumes", [])}
    assert used == set(compose["volumes"])
    for name in OURS:
        assert services[name]["volumes"] == ["home:/var/lib/nerloop"]


def test_no_secret_has_a_default_and_none_is_on_a_command_line(
    services: dict[str, dict[str, Any]],
) -> None:
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE.read_text(encoding="utf-8")))
    lines = (ROOT / "docker" / "example.env").read_text(encoding="utf-8").splitlines()
    example = [line for line in lines if line and not line.startswith("#")]
    assert {line.rstrip("=") for line in example} == required
    assert all(line.endswith("=") for line in example)  # filled in by a person, never by us
    for name, item in services.items():
        assert "${" not in str(item.get("command", "")), name
        for variable, value in item["environment"].items():
            if SECRET.search(variable) and variable != "POSTGRES_USER":
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name}: {variable}"


def test_the_dockerfile_has_the_targets_and_copies_only_what_is_there(
    services: dict[str, dict[str, Any]],
) -> None:
    text = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, flags=re.MULTILINE))
    for name in OURS:
        build_of = services[name]["build"]
        assert build_of["target"] in stages
        assert (ROOT / build_of["context"] / build_of["dockerfile"]).is_file()
        assert set(build_of["args"]) <= set(re.findall(r"^ARG (\w+)", text, flags=re.MULTILINE))
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, flags=re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored, source
    for name in ("backend", "courier", "worker"):
        stage = text.split(f" AS {name}\n")[1].split("FROM")[0]
        command = ", ".join(f'"{word}"' for word in services[name]["command"])
        assert f"CMD [{command}]" in stage


def test_the_compose_client_accepts_it(tmp_path: Path) -> None:
    client = _compose_client()
    if client is None:
        pytest.skip("no docker compose client here")
    secrets = tmp_path / "env"
    names = re.findall(r"^(\w+)=", (ROOT / "docker" / "example.env").read_text(), re.MULTILINE)
    secrets.write_text("".join(f"{name}=dummy-for-the-test\n" for name in names))
    command = [*client, "--env-file", str(secrets), "-f", str(COMPOSE), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_clean())
    assert done.returncode == 0, done.stderr
    secrets.write_text("")
    refused = subprocess.run(command, capture_output=True, text=True, check=False, env=_clean())
    assert refused.returncode != 0
    assert "set it in .env" in refused.stderr


def _clean() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def _compose_client() -> list[str] | None:
    for client in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(client[0]) is None:
            continue
        asked = subprocess.run(
            [*client, "version", "--short"], capture_output=True, text=True, check=False
        )
        # the first compose, ended in 2023, does not know today's files
        if asked.returncode == 0 and not asked.stdout.strip().lstrip("v").startswith("1."):
            return client
    return None
