"""The environment is read once; what is wrong in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.secret_values import Secret
from backend.settings import Settings, SettingsError
from worker.settings import WorkerSettings


def read(**environ: str) -> Settings:
    return Settings.from_environ(environ)


def test_defaults_need_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read()
    assert settings.home == tmp_path / ".nerloop"
    assert settings.database_url.reveal() == f"sqlite:///{tmp_path}/.nerloop/nerloop.db"
    assert settings.redis_url.reveal() == "redis://127.0.0.1:6379/0"
    assert (settings.host, settings.port, settings.base) == ("127.0.0.1", 9090, "smollm2-135m-q4")
    assert settings.basic_auth is None
    assert settings.admin_token is None
    assert (settings.min_shots, settings.idle_seconds, settings.pass_seconds) == (5, 600.0, 60.0)


def test_old_names_are_understood_and_new_ones_win() -> None:
    old = read(ML_SERVER_BASIC_AUTH_USER="u", ML_SERVER_BASIC_AUTH_PASS="old-horse-9")
    assert old.basic_auth is not None
    assert old.basic_auth.password.reveal() == "old-horse-9"
    both = read(
        BASIC_AUTH_USER="u",
        BASIC_AUTH_PASS="new-horse-9",
        ML_SERVER_BASIC_AUTH_PASS="old-horse-9",
        LABEL_STUDIO_HOST="http://old:1",
        LABEL_STUDIO_URL="http://new:1/",
        LABEL_STUDIO_ACCESS_TOKEN="tok-1",
    )
    assert both.basic_auth is not None
    assert both.basic_auth.password.reveal() == "new-horse-9"
    assert both.label_studio_url == "http://new:1"
    assert both.label_studio_token is not None
    assert read(REDIS_HOST="r", REDIS_PORT="7").redis_url.reveal() == "redis://r:7/0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "ninety"),
        ("PORT", "0"),
        ("PORT", "70000"),
        ("NERLOOP_PASS_SECONDS", "nan"),
        ("NERLOOP_PASS_SECONDS", "-1"),
        ("NERLOOP_TIME_SCALE", "0"),
        ("NERLOOP_MIN_SHOTS", "2.5"),
        ("NERLOOP_MIN_SHOTS", "0"),
        ("NERLOOP_THREADS", "many"),
        ("LOG_LEVEL", "LOUD"),
        ("LABEL_STUDIO_URL", "ftp://x"),
        ("LABEL_STUDIO_URL", "localhost:8080"),
        ("REDIS_URL", "http://x"),
        ("REDIS_PORT", "x"),
        ("NERLOOP_ADMIN_TOKEN", "changeme"),
        ("NERLOOP_ADMIN_TOKEN", "aaaaaaaa"),
    ],
)
def test_a_malformed_value_is_named_with_what_is_expected(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**{name: value})
    assert name in str(caught.value)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize(
    "environ",
    [
        {"BASIC_AUTH_USER": "u"},
        {"BASIC_AUTH_PASS": "long-horse-1"},
        {"BASIC_AUTH_USER": "a:b", "BASIC_AUTH_PASS": "long-horse-1"},
        {"BASIC_AUTH_USER": "admin", "BASIC_AUTH_PASS": "admin"},
        {"BASIC_AUTH_USER": "u", "BASIC_AUTH_PASS": "Password"},
    ],
)
def test_half_or_well_known_credentials_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**environ)
    assert "BASIC_AUTH" in str(caught.value)


def test_the_admin_token_may_lie_in_the_home(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "admin.token").write_text("from-the-file-17\n")
    settings = read(NERLOOP_HOME=str(tmp_path))
    assert settings.admin_token is not None
    assert settings.admin_token.reveal() == "from-the-file-17"
    (folder / "admin.token").write_text("admin")
    with pytest.raises(SettingsError, match=r"admin\.token"):
        read(NERLOOP_HOME=str(tmp_path))


def test_no_secret_shows_itself() -> None:
    settings = read(
        DATABASE_URL="postgresql://u:dbhorse@h/d",
        REDIS_URL="redis://:redishorse@h/0",
        BASIC_AUTH_USER="u",
        BASIC_AUTH_PASS="basichorse",
        NERLOOP_ADMIN_TOKEN="adminhorse",
        LABEL_STUDIO_API_KEY="lshorse",
    )
    assert "horse" not in f"{settings!r} {settings}"
    assert "horse" not in str(SettingsError(f"{settings.admin_token}"))


def test_secrets_compare_as_bytes() -> None:
    assert Secret("ä1").equals("ä1".encode())
    assert not Secret("ä1").equals(b"x")
    assert Secret("a") == Secret("a") != Secret("b")


def test_each_method_has_its_base_model_and_adapter() -> None:
    given = {"NERLOOP_BASE": "llm", "NERLOOP_ENCODER": "enc", "NERLOOP_ENCODER_ADAPTER": "/a"}
    settings = Settings.from_environ({**given, "NERLOOP_METHOD": "label_aware"})
    assert settings.method == "label_aware"
    assert (settings.base_of("cllmfs"), settings.base_of("label_aware")) == ("llm", "enc")
    assert settings.adapter_of("cllmfs") is None
    assert settings.adapter_of("label_aware") == Path("/a")
    plain = Settings.from_environ({})
    assert (plain.method, plain.encoder) == ("cllmfs", "minilm-l6")
    worker = WorkerSettings.from_environ(given)
    assert (worker.base_of("cllmfs"), worker.base_of("label_aware")) == ("llm", "enc")
    with pytest.raises(SettingsError, match="NERLOOP_METHOD is 'tagger'"):
        Settings.from_environ({"NERLOOP_METHOD": "tagger"})
