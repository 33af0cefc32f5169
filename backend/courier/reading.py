"""One pass: what Label Studio shows now, as the registry wants it told."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.labelstudio.answers import LsProject, LsTask
from backend.labelstudio.client import ID_PAGE, LabelStudioClient
from backend.labelstudio.errors import LabelStudioNotFoundError
from backend.labelstudio.label_config import SpanControl, labels_of, span_control
from backend.labelstudio.results import Reading, read_annotation
from model.loop.arms import same_time
from model.registry.heads import PassInput, PassOutcome, SeenAnnotation, SeenTask, TaskKey
from model.registry.tables import Project
from model.spans import LabelSet

OVERLAP = timedelta(seconds=60)
"""How far before the cursor a pass reads again: Label Studio's clock is not ours."""

# a database or a UTF-8 encoder refuses these; one stand-in each keeps every offset
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass
class Memory:
    """What one courier remembers of a project between passes; losing it costs a full reading.

    Attributes:
        known: Tasks seen so far.
        whole: Whether the next pass reads every task and not only the changed ones.
        page: The page of ids to look at next, in projects of more than one.
        unread: Tasks the registry still lacked after the last pass.
        again: Whether pages moved under this reading, so that the next one must be whole.
    """

    known: set[TaskKey] = field(default_factory=set)
    whole: bool = True
    page: int = 1
    unread: int = 0
    again: bool = False

    def learn(self, outcome: PassOutcome) -> None:
        """Draw the consequences of a committed pass."""
        # a task made while we were reading is found by the next cursor; twice is no coincidence
        self.whole = self.again or (outcome.unread > 0 and self.unread > 0)
        self.again = False
        self.unread = outcome.unread


@dataclass(frozen=True, slots=True)
class Labels:
    """The project's labeling config as it is now, if it changed."""

    config: str
    label_set: LabelSet | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Read:
    """What a pass hands over to its transaction."""

    project: LsProject
    labels: Labels | None
    input: PassInput


def read_project(client: LabelStudioClient, row: Project, memory: Memory) -> Read:
    """Read the project's settings, its changed tasks and its ids.

    With a labeling config that cannot be used no task is read and the cursor stays where it is;
    once the config is mended everything is read again, so nothing is lost.

    Raises:
        LabelStudioError: If Label Studio cannot be read.
    """
    project = client.project(row.ls_id)
    if project.uid != row.uid:
        raise LabelStudioNotFoundError(
            f"Project {row.ls_id} was deleted; its number now belongs to another project. "
            "`nerloop disconnect` ends this message, `nerloop connect` takes the new one in."
        )
    label_set, error = labels_of(project.label_config)
    changed = project.label_config != row.label_config or error != row.config_error
    labels = Labels(project.label_config, label_set, error) if changed else None
    if label_set is None:
        memory.whole = True
        return Read(project, labels, _input(row, None, (), None))
    memory.whole = memory.whole or changed
    control = span_control(project.label_config)
    since = None if memory.whole else _earlier(row.cursor)
    tasks = [task for page in client.changed_tasks(row.ls_id, since) for task in page]
    memory.known.update((task.id, same_time(task.created_at)) for task in tasks)
    present = _present(client, project, memory)
    newest = max((task.updated_at for task in tasks), key=_moment, default=row.cursor)
    seen = tuple(seen_task(control, task) for task in tasks)
    return Read(project, labels, _input(row, newest, seen, present))


def seen_task(control: SpanControl, task: LsTask) -> SeenTask:
    """A task in the registry's words.

    A task without a text is kept with an empty one, so that it is known; what people annotated
    there cannot be used.
    """
    text = control.text_of(task.data)
    annotations = []
    for annotation in task.annotations:
        if text is None:
            reading = Reading("unusable", reason=f"The task has no text under {control.value_key}.")
        else:
            reading = read_annotation(control, text, annotation)
        annotation_id = annotation.get("id")
        if type(annotation_id) is int:
            annotations.append(_seen_annotation(annotation_id, annotation, reading))
    storable = _UNSTORABLE.sub("\ufffd", text or "")
    return SeenTask(task.id, task.created_at, storable, tuple(annotations))


def _seen_annotation(
    annotation_id: int, annotation: Mapping[str, Any], reading: Reading
) -> SeenAnnotation:
    starred = annotation.get("ground_truth") is True
    spans = tuple(span.key for span in reading.spans)
    # of the reading, not of the raw result: a mended config gives the same annotation new content
    content = json.dumps([reading.kind, starred, spans, reading.reason])
    return SeenAnnotation(
        annotation_id=annotation_id,
        updated_at=same_time(str(annotation.get("updated_at"))),
        content_digest=hashlib.sha256(content.encode()).hexdigest(),
        kind=reading.kind,
        ground_truth=starred,
        spans=spans,
        reason=reading.reason or None,
    )


def _present(
    client: LabelStudioClient, project: LsProject, memory: Memory
) -> frozenset[TaskKey] | None:
    """All tasks of the project, if they had to be asked for; None for "as far as known"."""
    pages = max(1, -(-project.tasks // ID_PAGE))
    page = client.task_ids(project.id, min(memory.page, pages))
    keys = _same(page.keys)
    memory.page = memory.page % pages + 1
    if page.total <= ID_PAGE:
        memory.known = set(keys)
        return keys
    low, high = min(keys, default=(0, "")), max(keys, default=(0, ""))
    here = {key for key in memory.known if low <= key <= high}
    if not memory.whole and page.total == len(memory.known) and here == keys:
        return None
    everything, totals = set(keys), {page.total}
    for number in range(1, -(-page.total // ID_PAGE) + 1):
        listed = client.task_ids(project.id, number)
        everything |= _same(listed.keys)
        totals.add(listed.total)
    if totals != {len(everything)}:
        # the list moved while it was read, so a task may have slipped between two pages
        memory.again = True
        return None
    memory.again = memory.again or bool(memory.known - everything)
    memory.known = everything
    return frozenset(everything)


def _same(keys: frozenset[tuple[int, str]]) -> frozenset[TaskKey]:
    return frozenset((task_id, same_time(created)) for task_id, created in keys)


def _input(
    row: Project,
    cursor: str | None,
    tasks: tuple[SeenTask, ...],
    present: frozenset[TaskKey] | None,
) -> PassInput:
    return PassInput(
        pass_no=row.pass_no,
        dirty_seq=row.dirty_seq,
        cursor=cursor,
        tasks=tasks,
        present=present,
    )


def _earlier(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    moment = _moment(cursor)
    return None if moment == _NEVER else (moment - OVERLAP).isoformat().replace("+00:00", "Z")


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(text: str) -> datetime:
    # as text, "…22Z" would come after "…22.5Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _NEVER
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
