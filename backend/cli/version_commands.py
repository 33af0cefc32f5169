"""`nerloop versions`: look at adapter versions, check one, write one to a folder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.printing import print_json, print_table
from backend.cli.registry_access import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ProjectOption,
    chosen_project,
    open_registry,
    settings_of,
)
from backend.pages.formatting import change, percent, points

if TYPE_CHECKING:
    from model.registry.marks import Mark
    from model.registry.verdicts import VerdictView
    from model.registry.versions import VersionView

NumberArgument = Annotated[
    int, typer.Argument(help="The version's number, from 0.", min=0, max=2**31 - 1)
]


def list_versions(
    project: ProjectOption = None, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False
) -> None:
    """List the adapter versions of a project, newest first, with what the gate says of them."""
    from model.registry import marks, verdicts, versions
    from model.registry.marks import Mark

    with open_registry(home) as database, database.read() as session:
        row = chosen_project(session, project)
        marked = marks.marks_of(session, row.id)
        said = verdicts.newest(session, row.id)
        found = [
            (view, marked.get(view.id, Mark()), said.get(view.number))
            for view in versions.versions(session, row.id)
        ]
    if as_json:
        print_json([_with_marks(*item) for item in found])
        return
    print_table(
        (
            "version",
            "state",
            "F1",
            "texts",
            "change (95 %)",
            "gate",
            "shots",
            "trained on",
            "method",
            "made",
        ),
        [_line(*item) for item in sorted(found, key=lambda item: -item[0].number)],
    )
    served = next(view.number for view, _, _ in found if view.state == "served")
    for view, _, verdict in found:
        if view.state == "candidate":
            _invite(home, served, view, verdict)


def show_version(
    number: NumberArgument,
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show everything known about one adapter version."""
    from model.registry import marks, verdicts, versions

    with open_registry(home) as database, database.read() as session:
        view = versions.version(session, chosen_project(session, project).id, number)
        mark = marks.mark_of(session, view.id)
        said = verdicts.of_version(session, view.id)
    if as_json:
        print_json(_with_marks(view, mark, said[0] if said else None) | {"verdicts": said})
        return
    print_table(("version", view.name), [*_facts(view, mark, said), *_made_from(view)])


def show_lineage(
    number: NumberArgument,
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show every annotation a version was made from, and whether it still stands."""
    from model.registry import lineage

    with open_registry(home) as database, database.read() as session:
        found = lineage.lineage(session, chosen_project(session, project).id, number)
    if as_json:
        print_json(found)
        return
    typer.echo(
        f"Version {found.number}: {found.shots} shots in {len(found.items)} texts, snapshot "
        f"{(found.snapshot_digest or '-')[:12]}, run {found.run_id or '-'}."
    )
    print_table(
        ("task", "annotation", "changed", "spans", "text", "now"),
        [
            (
                item.task_id,
                item.annotation_id,
                item.updated_at,
                item.spans,
                item.text_digest[:12],
                "deleted" if item.deleted else "same" if item.current else "changed since",
            )
            for item in found.items
        ],
    )


def verify(
    number: NumberArgument, project: ProjectOption = None, home: HomeOption = DEFAULT_HOME
) -> None:
    """Hash the version's files now and compare them with its digest."""
    from model.registry import verifying, versions
    from model.registry.artifacts import ArtifactStore

    with open_registry(home) as database, database.read() as session:
        digest = versions.row(session, chosen_project(session, project).id, number).artifact_digest
    verifying.verify(ArtifactStore(settings_of(home).artifacts), digest)
    typer.echo(f"Version {number} is sound, digest {digest}")


def export(
    number: NumberArgument,
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    project: ProjectOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Write a version as a plain adapter folder, with manifest and model card."""
    from backend.exporting import export_version
    from model.registry.artifacts import ArtifactStore

    store = ArtifactStore(settings_of(home).artifacts)
    with open_registry(home) as database:
        with database.read() as session:
            chosen = chosen_project(session, project).id
        done = export_version(database, store, chosen, number, folder)
    if as_json:
        print_json(done)
        return
    typer.echo(
        f"Version {done.name} is in {done.folder}: {', '.join(done.files)}, "
        f"{done.bytes / 1e6:.1f} MB. "
        + ("peft loads it." if done.peft else "It needs nerloop to be loaded.")
    )


def _line(view: VersionView, mark: Mark, verdict: VerdictView | None) -> tuple[object, ...]:
    states = [word for word in (view.state, "pinned" if mark.pinned else "") if word]
    return (
        view.number,
        ", ".join(states) or "-",
        percent(view.f1),
        view.documents,
        _difference(verdict),
        verdict.verdict if verdict else None,
        view.shots,
        f"{view.texts} texts",
        view.method,
        view.created_at,
    )


def _difference(verdict: VerdictView | None) -> str | None:
    if verdict is None or verdict.delta is None:
        return None
    return f"{points(verdict.delta)} ({change(verdict.low, verdict.high)}) to {verdict.served}"


def _facts(view: VersionView, mark: Mark, said: list[VerdictView]) -> list[tuple[str, object]]:
    marked = [
        ("pinned", "yes" if mark.pinned else None),
        ("archived", mark.archived_at and f"{mark.archived_at:%Y-%m-%d}: {mark.archived_reason}"),
        (
            "condemned",
            mark.condemned_at and f"{mark.condemned_at:%Y-%m-%d}: {mark.condemned_reason}",
        ),
        ("files deleted", mark.deleted_at),
    ]
    return [
        ("state", view.state or "-"),
        *((name, value) for name, value in marked if value),
        ("F1 on held-out texts", percent(view.f1)),
        ("held-out texts", view.documents),
        *(
            (f"gate, look {one.look} against {one.served}", f"{one.verdict}: {one.reason}")
            for one in said
        ),
    ]


def _made_from(view: VersionView) -> list[tuple[str, object]]:
    return [
        ("trained on", f"{view.shots} shots in {view.texts} texts"),
        ("trained because", view.trigger),
        ("run", view.run_id),
        ("method", view.method),
        ("base model", f"{view.base_name} ({view.base_digest[:12]})"),
        ("artifact", view.artifact_digest),
        ("snapshot", view.snapshot_digest),
        ("seed", view.seed),
        ("made", view.created_at),
        *((f"report: {name}", value) for name, value in sorted(view.report.items())),
        *((f"config: {name}", value) for name, value in sorted(view.config.items())),
    ]


def _with_marks(view: VersionView, mark: Mark, verdict: VerdictView | None) -> dict[str, object]:
    return asdict(view) | asdict(mark) | {"verdict": verdict}


def _invite(home: Path, served: int, view: VersionView, verdict: VerdictView | None) -> None:
    from backend.launch.guidance import command_line
    from backend.launch.home import Home

    command = command_line(Home.at(home))
    said = f"The gate says {verdict.verdict}: {verdict.reason}" if verdict else ""
    typer.echo(
        f"\nVersion {view.number} waits for you. {said}\n"
        f"  {command} versions compare {served} {view.number}\n"
        f'  {command} promote {view.number} --reason "..."'
    )
