"""The demo's texts annotated by its own guideline: a person's afternoon in half a minute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.demo.project import TITLE
from backend.demo.texts import demo_gold
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.label_config import span_control
from backend.labelstudio.results import drawn_regions
from model.errors import NerLoopError
from model.registry import projects
from model.registry.open_texts import HeldOutSlice, OpenText, held_out_slice, open_texts
from model.registry.session import Database, Session
from model.registry.tables import Project

LEAD_SECONDS = 10.0
"""What Label Studio is told a person took for a text; its own copies of predictions have none."""


class NotTheDemoError(NerLoopError):
    """Only the demo's own project can be annotated by command."""


class NothingOpenError(NerLoopError):
    """No text of the kind asked for is open."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was annotated.

    Attributes:
        texts: Texts annotated now.
        held_out: How many of them are held out.
        slice: The held-out slice, with the texts annotated now.
    """

    texts: int
    held_out: int
    slice: HeldOutSlice


def demo_project(session: Session, number: int | None) -> Project:
    """The demo project of a registry.

    Args:
        session: An open session.
        number: Its number in Label Studio, or None for the connected one that has its title.

    Raises:
        UnknownProjectError: If no project of that number is connected.
        NotTheDemoError: If it is another project, or there is no demo at all.
    """
    if number is None:
        demos = [row for row in projects.connected(session) if row.title == TITLE]
        if not demos:
            raise NotTheDemoError(
                f'No project "{TITLE}" is connected here. `nerloop demo` makes one; --home names '
                "the folder of another demo."
            )
        return demos[-1]
    found = projects.by_label_studio(session, number)
    require_demo(number, found.title)
    return found


def require_demo(number: int, title: str) -> None:
    """Refuse any project but the demo's own.

    Raises:
        NotTheDemoError: If the title is not the demo's.
    """
    if title != TITLE:
        raise NotTheDemoError(
            f'Project {number}, "{title}", is not the demo project "{TITLE}". What people '
            "annotate there is theirs; nothing was written."
        )


def annotate(
    client: LabelStudioClient,
    database: Database,
    project: Project,
    *,
    most: int | None,
    held_out_only: bool,
    on_text: Callable[[int], None] | None = None,
) -> Done:
    """Submit the demo's gold for open texts, in the order in which the queue asks for them.

    Args:
        client: Speaks to the demo's Label Studio.
        database: The registry, which knows the arms and the queue.
        project: The demo project.
        most: At most so many texts; None for all.
        held_out_only: Leave out texts that would be learnt from.
        on_text: Called after each text with the number done.

    Raises:
        NotTheDemoError: If Label Studio has another project under that number.
        NothingOpenError: If no text of that kind is open.
        LabelStudioError: If Label Studio cannot be written to; what is done stays.
    """
    there = client.project(project.ls_id)
    require_demo(there.id, there.title)
    control = span_control(there.label_config)
    gold = {item.text: item for item in demo_gold()}
    with database.read() as session:
        known = [item for item in open_texts(session, project.id) if item.text in gold]
        before = held_out_slice(session, project.id)
    chosen = _chosen(known, most, held_out_only)
    for number, item in enumerate(chosen, start=1):
        client.annotate(item.task_id, drawn_regions(control, gold[item.text]), LEAD_SECONDS)
        if on_text is not None:
            on_text(number)
    blind = sum(item.held_out for item in chosen)
    after = HeldOutSlice(before.texts, before.annotated + blind)
    return Done(len(chosen), blind, after)


def _chosen(known: list[OpenText], most: int | None, held_out_only: bool) -> list[OpenText]:
    wanted = [item for item in known if item.held_out or not held_out_only]
    if not wanted:
        kind = "held-out text" if held_out_only else "text"
        raise NothingOpenError(
            f"No {kind} of the demo is open: all are annotated, or nerloop has not read the "
            "project yet. Try again in a minute."
        )
    return wanted[:most]
