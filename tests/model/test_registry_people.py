"""People, passwords, sessions and tokens as the registry keeps them."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from admin_people import PASSWORD, QUICK, quick
from model.registry import credentials, passwords, people
from model.registry.errors import PersonError, UnknownPersonError, WeakPasswordError
from model.registry.passwords import COST, Cost, matches, sealed
from model.registry.session import Database
from model.registry.tables import Project

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def add(database: Database, name: str, role: str = "admin", project_id: int | None = None) -> None:
    with database.begin() as session:
        people.add(session, name, quick(), role=role, project_id=project_id)


def begin(database: Database, name: str = "Ada", now: datetime = NOW) -> credentials.NewSession:
    with database.begin() as session:
        stored = people.stored_password(session, name) or ""
        new = credentials.open_session(session, name, stored, now=now)
    assert new is not None
    return new


def test_a_password_is_kept_as_scrypt_with_its_parameters_and_a_salt_of_its_own() -> None:
    """The stored form is computed again here, with hashlib alone."""
    kept = sealed(PASSWORD).stored
    kind, n, r, p, salt, digest = kept.split("$")
    assert (kind, int(n), int(r), int(p)) == ("scrypt", 2**15, 8, 3)
    raw = hashlib.scrypt(
        PASSWORD.encode(), salt=base64.b64decode(salt), n=2**15, r=8, p=3, maxmem=2**27, dklen=32
    )
    assert base64.b64decode(digest) == raw
    assert quick().stored != quick().stored
    assert PASSWORD not in kept
    assert PASSWORD not in repr(sealed(PASSWORD, cost=QUICK))


@pytest.mark.parametrize(
    ("given", "right"),
    [
        (PASSWORD, True),
        (PASSWORD + "x", False),
        (PASSWORD[:-1], False),
        ("", False),
        ("x" * 100_000, False),
        ("\udc80" * 20, False),
    ],
)
def test_only_the_same_password_matches(given: str, right: bool) -> None:
    assert matches(given, quick().stored) is right


def test_the_same_letters_typed_on_another_keyboard_match() -> None:
    composed = "pässwörter überall"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    assert matches(decomposed, quick(composed).stored)


def test_nobody_and_a_damaged_row_cost_as_much_as_a_wrong_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paid: list[Cost] = []
    real = passwords._scrypt

    def counting(plain: str, salt: bytes, cost: Cost) -> bytes:
        paid.append(cost)
        return real(plain, salt, QUICK)

    monkeypatch.setattr(passwords, "_scrypt", counting)
    damaged = ("", "plain", "scrypt$1$2", "scrypt$3$8$1$YQ==$YQ==", "scrypt$16$1$1$%$%")
    huge = f"scrypt${2**30}$8$1$YQ==$YQ=="
    for stored in (None, *damaged, huge, "md5$16$1$1$YQ==$YQ=="):
        assert not matches(PASSWORD, stored)
    assert paid == [COST] * 8


@pytest.mark.parametrize(
    "weak", ["", "short", "elevenchars", "aaaaaaaaaaaaaaaaaaaa", "abababababab"]
)
def test_weak_passwords_are_refused_with_what_is_expected(weak: str) -> None:
    with pytest.raises(WeakPasswordError, match="at least 12 characters"):
        sealed(weak, cost=QUICK)
    with pytest.raises(WeakPasswordError, match="longer than 1000"):
        sealed("abcdefgh" * 200, cost=QUICK)


def test_people_are_added_listed_disabled_and_enabled(
    database: Database, make_project: Callable[..., Project]
) -> None:
    project = make_project(7)
    add(database, "Ada")
    add(database, "Bo", "viewer", project.id)
    with database.begin() as session:
        listed = [(p.name, p.role, p.project, p.disabled_at) for p in people.every(session)]
        assert listed == [("Ada", "admin", None, None), ("Bo", "viewer", 7, None)]
        assert people.by_name(session, " ADA ").name == "Ada"
        assert people.disable(session, "bo", now=NOW).disabled_at == NOW
        assert people.disable(session, "Bo", now=NOW + DAY).disabled_at == NOW
        assert people.stored_password(session, "Bo") is None
        assert people.enable(session, "Bo").disabled_at is None
        assert people.stored_password(session, "Bo") is not None
        with pytest.raises(UnknownPersonError, match="called Cy"):
            people.by_name(session, "Cy")


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "a" * 81, "a\nb", "<b>", "../x", "a/b", "x (command line)"),
        *("admin-api", "Gate", "Retention", "bench promotion"),
    ],
)
def test_names_the_audit_could_not_show_or_uses_itself_are_refused(
    database: Database, name: str
) -> None:
    with pytest.raises(PersonError):
        add(database, name)


def test_two_people_cannot_look_alike_in_the_audit(database: Database) -> None:
    add(database, "Zoë")
    for same in ("zoë", "ZOË", " Zoë ", unicodedata.normalize("NFD", "Zoë")):
        with pytest.raises(PersonError, match="already"):
            add(database, same)
    with pytest.raises(PersonError, match="role 'root'"):
        add(database, "Cy", "root")


def test_a_session_knows_its_person_and_the_database_does_not_know_the_cookie(
    database: Database,
) -> None:
    add(database, "Ada")
    new = begin(database)
    with database.read() as session:
        holder = credentials.session_holder(session, new.cookie, now=NOW)
        stored = session.execute(text("SELECT digest, csrf FROM person_sessions")).all()
        other = credentials.session_holder(session, new.csrf, now=NOW)
    assert holder == credentials.Holder("Ada", "admin", None, new.csrf, True)
    assert stored == [(hashlib.sha256(new.cookie.encode()).hexdigest(), new.csrf)]
    assert other is None
    assert len(new.cookie) >= 43 <= len(new.csrf)
    assert new.cookie not in repr(new)


@pytest.mark.parametrize(
    ("used_after", "asked_after", "valid"),
    [
        (None, 12 * HOUR - MINUTE, True),
        (None, 12 * HOUR, False),
        (11 * HOUR, 20 * HOUR, True),
        (11 * HOUR, 23 * HOUR, False),
        (7 * DAY - HOUR, 7 * DAY - MINUTE, True),
        (7 * DAY - HOUR, 7 * DAY, False),
    ],
)
def test_sessions_end_when_idle_and_at_last(
    database: Database, used_after: timedelta | None, asked_after: timedelta, valid: bool
) -> None:
    add(database, "Ada")
    new = begin(database)
    with database.begin() as session:
        if used_after is not None:
            credentials.note_session(session, new.cookie, now=NOW + used_after)
        holder = credentials.session_holder(session, new.cookie, now=NOW + asked_after)
    assert (holder is not None) is valid


@pytest.mark.parametrize("end", ["logout", "password", "disable"])
def test_logout_a_new_password_and_disabling_end_sessions(database: Database, end: str) -> None:
    add(database, "Ada")
    add(database, "Bo")
    one, two, other = begin(database), begin(database), begin(database, "Bo")
    with database.begin() as session:
        if end == "logout":
            credentials.close_session(session, one.cookie)
        elif end == "password":
            people.set_password(session, "Ada", quick("another horse entirely"))
        else:
            people.disable(session, "Ada", now=NOW)
            people.enable(session, "Ada")
    with database.read() as session:
        left = [
            credentials.session_holder(session, new.cookie, now=NOW) is not None
            for new in (one, two, other)
        ]
    assert left == [False, end == "logout", True]


def test_a_disabled_person_is_out_at_once_even_with_rows_left(database: Database) -> None:
    add(database, "Ada")
    new = begin(database)
    with database.begin() as session:
        token = credentials.add_token(session, "Ada", "cron", now=NOW)
        session.execute(text("UPDATE people SET disabled_at = '2026-01-01'"))
        assert credentials.session_holder(session, new.cookie, now=NOW) is None
        assert credentials.token_holder(session, token.value, now=NOW) is None
        assert credentials.open_session(session, "Ada", "x", now=NOW) is None
        with pytest.raises(PersonError, match="disabled"):
            credentials.add_token(session, "Ada", "cron", now=NOW)


def test_a_password_changed_while_it_was_checked_opens_nothing(database: Database) -> None:
    add(database, "Ada")
    with database.begin() as session:
        compared = people.stored_password(session, "Ada") or ""
        people.set_password(session, "Ada", quick("another horse entirely"))
        assert credentials.open_session(session, "Ada", compared, now=NOW) is None


def test_old_sessions_are_swept_when_somebody_logs_in(database: Database) -> None:
    add(database, "Ada")
    begin(database)
    begin(database, now=NOW + 8 * DAY)
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM person_sessions")).scalar() == 1


def test_a_token_acts_as_its_person_until_it_is_revoked(database: Database) -> None:
    add(database, "Bo", "viewer")
    with database.begin() as session:
        made = credentials.add_token(session, "bo", " nightly export ", now=NOW)
        assert made.value.startswith("nerloop_")
        assert made.value not in repr(made)
        kept = session.execute(text("SELECT digest FROM person_tokens")).scalar()
        assert kept == hashlib.sha256(made.value.encode()).hexdigest()
        holder = credentials.token_holder(session, made.value, now=NOW)
        assert holder == credentials.Holder("Bo", "viewer", None, None, False)
        assert credentials.token_holder(session, made.value + "x", now=NOW) is None
        credentials.note_token(session, made.value, now=NOW)
        again = credentials.token_holder(session, made.value, now=NOW + MINUTE / 2)
        assert again is not None
        assert again.is_noted
        credentials.revoke_token(session, made.id, now=NOW + HOUR)
        credentials.revoke_token(session, made.id, now=NOW + DAY)
        assert credentials.token_holder(session, made.value, now=NOW) is None
        (listed,) = credentials.tokens(session)
    assert listed == credentials.TokenView(made.id, "Bo", "nightly export", NOW, NOW, NOW + HOUR)


def test_tokens_need_a_name_and_an_existing_number(database: Database) -> None:
    add(database, "Ada")
    with database.begin() as session:
        for name in ("", "  ", "x" * 81, "a\nb"):
            with pytest.raises(PersonError, match="what the token is for"):
                credentials.add_token(session, "Ada", name, now=NOW)
        with pytest.raises(PersonError, match="no token 9"):
            credentials.revoke_token(session, 9, now=NOW)
