"""Annotations, runs and versions written straight into a registry, without any model."""

from __future__ import annotations

from model.loop.trigger import TriggerSettings
from model.registry import aliases, projects, runs, versions
from model.registry.base import utc_now
from model.registry.heads import PassInput, SeenAnnotation, SeenTask, apply_pass
from model.registry.rows import row
from model.registry.session import Database, Session
from model.registry.tables import Project
from model.registry.tables_admin import VersionMark
from model.registry.tables_versions import AdapterVersion, TrainingRun
from model.registry.versions import Publication


def annotate(database: Database, project: Project, first: int, count: int = 6) -> None:
    """Annotations of ``count`` new tasks, read by one pass that asks for nothing."""
    tasks = [
        SeenTask(
            n, "t", f"Ada {n}", (SeenAnnotation(n, "t", f"c{n}", "gold", False, ((0, 3, "PER"),)),)
        )
        for n in range(first, first + count)
    ]
    with database.begin() as session:
        now = projects.by_id(session, project.id)
        read = PassInput(now.pass_no, now.dirty_seq, None, tasks)
        apply_pass(session, project.id, read, TriggerSettings(min_shots=10_000))


def ask(database: Database, project: Project) -> int | None:
    with database.begin() as session:
        return runs.request(session, project.id, "cllmfs", "test", None)


def asked(database: Database, project: Project) -> int:
    run_id = ask(database, project)
    assert run_id is not None
    return run_id


def take(database: Database, run_id: int) -> runs.Claim | None:
    with database.begin() as session:
        return runs.claim(session, run_id)


def taken(database: Database, run_id: int) -> runs.Claim:
    claim = take(database, run_id)
    assert claim is not None
    return claim


def publication(mark: str) -> Publication:
    """What a worker hands over; ``mark`` repeated is the digest."""
    return Publication((mark * 64)[:64], "tiny", "b" * 64, {"rank": 4}, {"steps": 1})


def publish(database: Database, claim: runs.Claim, mark: str) -> int | None:
    with database.begin() as session:
        made = versions.publish(session, claim, publication(mark))
        return made.number if made else None


def trained(database: Database, project: Project, count: int) -> None:
    """Versions 1 to ``count``, each from one more batch of annotations."""
    for n in range(1, count + 1):
        annotate(database, project, 10 * n)
        run_id = asked(database, project)
        assert publish(database, taken(database, run_id), mark_of(n)) == n


def mark_of(number: int) -> str:
    """What :func:`trained` repeats for the digest of a version."""
    return f"{number + 0xC0:02x}"


def many_versions(
    database: Database, project: Project, count: int, *, method: str = "cllmfs"
) -> None:
    """Versions 1 to ``count`` in one commit, without annotations; the last one is the candidate."""
    with database.begin() as session:
        for number in range(1, count + 1):
            run = TrainingRun(
                project_id=project.id, method=method, state="succeeded", reason="test"
            )
            session.add(run)
            session.flush()
            version = AdapterVersion(
                project_id=project.id,
                number=number,
                method=method,
                base_name="tiny",
                base_digest="b" * 64,
                artifact_digest=(mark_of(number) * 64)[:64],
                run_id=run.id,
                config={},
                report={},
            )
            session.add(version)
            session.flush()
        aliases.nominate(session, project.id, method, version)


def nominate_other(session: Session, project_id: int, number: int, method: str) -> None:
    """A version of another lane, as its candidate."""
    version = AdapterVersion(
        project_id=project_id,
        number=number,
        method=method,
        base_name="tiny",
        base_digest="b" * 64,
        artifact_digest=(mark_of(number) * 64)[:64],
        config={},
        report={},
    )
    session.add(version)
    session.flush()
    aliases.nominate(session, project_id, method, version)


def condemn(database: Database, project: Project, number: int, *, deleted: bool = False) -> None:
    """Mark a version as retention does."""
    with database.begin() as session:
        mark = VersionMark(
            version_id=row(session, project.id, number).id,
            condemned_at=utc_now(),
            condemned_reason="never served, and 10 versions of cllmfs are newer",
            deleted_at=utc_now() if deleted else None,
        )
        session.add(mark)
