"""A project whose tasks, gold, versions and scores are written by the line, for what reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from model.loop.trigger import TriggerSettings
from model.registry import aliases, predictions
from model.registry.heads import PassInput, SeenAnnotation, SeenTask, apply_pass
from model.registry.projects import by_id
from model.registry.session import Database
from model.registry.tables import AnnotationRevision, Project, Task
from model.registry.tables_versions import (
    AdapterVersion,
    Evaluation,
    Snapshot,
    SnapshotItem,
)
from model.spans import Prediction, Span

SpanKey = tuple[int, int, str]


class JudgedProject:
    """Texts by task number; every method is one transaction."""

    def __init__(self, database: Database, project: Project, texts: Mapping[int, str]) -> None:
        self.database, self.project_id = database, project.id
        self._texts = dict(texts)
        self._gold: dict[int, tuple[int, tuple[SpanKey, ...]]] = {}
        self._edits = 0
        self.read()

    def read(self) -> None:
        """A pass of the courier over everything."""
        tasks = [
            SeenTask(number, f"t{number}", text, self._annotation(number))
            for number, text in self._texts.items()
        ]
        with self.database.begin() as session:
            row = by_id(session, self.project_id)
            state = PassInput(row.pass_no, row.dirty_seq, None, tasks)
            apply_pass(session, self.project_id, state, TriggerSettings())

    def annotate(self, number: int, *spans: SpanKey) -> None:
        """A person marks these spans in a task, or changes what was marked."""
        self._edits += 1
        self._gold[number] = (self._edits, spans)
        self.read()

    def arm(self, number: int, arm: str) -> None:
        """Put a task into an arm."""
        with self.database.begin() as session:
            self.task(session, number).arm = arm

    def task(self, session: Session, number: int) -> Task:
        """The row of a task."""
        return session.query(Task).filter_by(project_id=self.project_id, task_id=number).one()

    def version_id(self, session: Session, number: int) -> int:
        """Row id of a version."""
        found = session.query(AdapterVersion).filter_by(project_id=self.project_id, number=number)
        return found.one().id

    def version(self, number: int, *learnt: int) -> int:
        """A version trained on the present gold of these tasks; its row id."""
        with self.database.begin() as session:
            snapshot = self._snapshot(session, number, learnt) if learnt else None
            made = AdapterVersion(
                project_id=self.project_id,
                number=number,
                method="cllmfs",
                base_name="tiny",
                base_digest="b" * 64,
                artifact_digest=f"{number:064d}",
                snapshot_id=snapshot,
                config={},
                report={},
            )
            session.add(made)
            session.flush()
            aliases.nominate(session, self.project_id, "cllmfs", made)
            return made.id

    def promote(self, number: int) -> None:
        """Serve a version."""
        with self.database.begin() as session:
            aliases.promote(session, self.project_id, number, actor="test", reason="because")

    def predict(self, number: int, answers: Mapping[int, Sequence[SpanKey]]) -> None:
        """Store a version's predictions of tasks."""
        with self.database.begin() as session:
            rows = [
                (self.task(session, task).id, Prediction(tuple(Span(*s, 0.5) for s in spans), 0.5))
                for task, spans in answers.items()
            ]
            predictions.store(session, self.version_id(session, number), rows)

    def score(
        self,
        version_id: int,
        digest: str,
        rows: Mapping[int, Sequence[SpanKey]],
        *,
        kept: bool = True,
        purged: int = 0,
    ) -> None:
        """Evaluate a version on tasks, against their present gold.

        ``kept`` with the answers; the text of the task ``purged`` is stored nowhere.
        """
        with self.database.begin() as session:
            documents, answers = [], []
            for number, said in rows.items():
                task, gold = self.task(session, number), self._gold[number][1]
                hits = len(set(said) & set(gold))
                documents.append([task.id, hits, len(said), len(gold)])
                text = "0" * 64 if number == purged else task.text_digest
                answers.append([text, [list(g) for g in gold], [[*s, 0.5] for s in said]])
            session.add(
                Evaluation(
                    version_id=version_id,
                    eval_digest=digest,
                    documents=documents,
                    answers=answers if kept else None,
                    true_positives=sum(row[1] for row in documents),
                    predicted=sum(row[2] for row in documents),
                    gold=sum(row[3] for row in documents),
                )
            )

    def _annotation(self, number: int) -> tuple[SeenAnnotation, ...]:
        if number not in self._gold:
            return ()
        edit, spans = self._gold[number]
        moment = f"2026-11-20T09:{edit // 60:02d}:{edit % 60:02d}Z"
        return (SeenAnnotation(number, moment, f"{edit:064d}", "gold", False, spans),)

    def _snapshot(self, session: Session, number: int, learnt: Sequence[int]) -> int:
        shots = sum(len(self._gold[task][1]) for task in learnt)
        snapshot = Snapshot(
            project_id=self.project_id, digest=f"{number:064d}", label_set=[], shots=shots
        )
        session.add(snapshot)
        session.flush()
        for item in learnt:
            task = self.task(session, item)
            revision = max(
                row.id for row in session.query(AnnotationRevision).filter_by(task_ref=task.id)
            )
            session.add(
                SnapshotItem(
                    snapshot_id=snapshot.id,
                    task_ref=task.id,
                    revision_id=revision,
                    text_digest=task.text_digest,
                )
            )
        session.flush()
        return snapshot.id


@contextmanager
def counted_statements(session: Session) -> Iterator[list[str]]:
    """The SQL statements sent inside the block."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)
