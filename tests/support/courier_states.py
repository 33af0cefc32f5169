"""A courier on a fake Label Studio, with the registry behind it."""

from __future__ import annotations

from typing import Any

from backend.courier.publishing import Published, publish
from backend.courier.rounds import Courier, Visit
from backend.enrolment import Enrolment
from backend.labelstudio.client import LabelStudioClient
from backend.secret_values import Secret
from backend.settings import Settings
from fake_label_studio import CONFIG, FakeLabelStudio
from model.registry import aliases, predictions, projects
from model.registry.heads import PassOutcome
from model.registry.session import Database
from model.registry.tables import AnnotationHead, AnnotationRevision, Project, Task
from model.registry.tables_versions import AdapterVersion
from model.spans import Prediction, Span

UID = "1.1700000000"
TASKS = 10


class Publishing:
    """A project of ten tasks, half of them held out, after its first pass."""

    def __init__(
        self,
        fake: FakeLabelStudio,
        settings: Settings,
        registry: Database,
        enrolment: Enrolment,
    ) -> None:
        self.fake, self.registry = fake, registry
        for number in range(1, TASKS + 1):
            fake.add_task(number, f"Ada met Bob {number}")
        fake.backends[1] = {"id": 1, "url": "http://nerloop", "title": "nerloop"}
        fake.pointer = "nerloop"
        row = enrolment.enrol(UID, "http://ls", config=CONFIG)
        with registry.begin() as session:
            projects.by_id(session, row.id).held_out_share = 0.5
            projects.by_id(session, row.id).salt = "fixed"
            projects.set_connected(session, row.id, "http://ls")
            session.add(
                AdapterVersion(
                    project_id=row.id,
                    number=1,
                    method="cllmfs",
                    base_name="tiny",
                    base_digest="b" * 64,
                    artifact_digest="1" * 64,
                    config={},
                    report={},
                )
            )
        self.courier = Courier(
            settings,
            registry,
            open_client=lambda c: LabelStudioClient(c.url, c.token, transport=fake.transport()),
        )
        self.read()

    def row(self) -> Project:
        with self.registry.read() as session:
            return projects.by_label_studio(session, 1)

    def read(self) -> None:
        self.courier.one_pass(self.row(), Visit())

    def predict(self, label: str = "PER") -> None:
        """What the worker does: fill the window of ``served``."""
        with self.registry.begin() as session:
            version = aliases.served(session, 1).version_id
            window = predictions.window(session, version)
            rows = [
                (task.task_ref, Prediction((Span(0, 3, label, 0.9),), place / 100))
                for place, task in enumerate(window, start=1)
            ]
            predictions.store(session, version, rows)
            predictions.finish(session, version)

    def publish(self) -> Published:
        fake = self.fake
        with LabelStudioClient(
            "http://ls", Secret(fake.token), transport=fake.transport()
        ) as client:
            return publish(client, self.registry, 1)

    def promote(self, number: int) -> None:
        with self.registry.begin() as session:
            aliases.promote(session, 1, number, actor="test", reason="because")

    def held_out(self) -> set[int]:
        with self.registry.read() as session:
            return {t.task_id for t in session.query(Task) if t.arm == "held-out"}


class Passes:
    """One project, one courier, one Label Studio in memory."""

    def __init__(
        self,
        fake: FakeLabelStudio,
        settings: Settings,
        registry: Database,
        enrolment: Enrolment,
    ) -> None:
        self.fake, self.registry, self.visit = fake, registry, Visit()
        # so many tasks that nearly none is held out
        row = enrolment.enrol(UID, "http://ls", config=CONFIG, tasks=10_000)
        with registry.begin() as session:
            projects.by_id(session, row.id).held_out_share = 0.0
            projects.set_connected(session, row.id, "http://ls")
        self.courier = Courier(
            settings,
            registry,
            open_client=lambda c: LabelStudioClient(c.url, c.token, transport=fake.transport()),
        )

    def row(self) -> Project:
        with self.registry.read() as session:
            return projects.by_label_studio(session, 1)

    def one(self) -> PassOutcome:
        return self.courier.one_pass(self.row(), self.visit)

    def heads(self) -> dict[int, tuple[str, Any, bool]]:
        """Annotation id -> (kind, spans, alive)."""
        with self.registry.read() as session:
            rows = session.query(AnnotationHead, AnnotationRevision).join(
                AnnotationRevision, AnnotationRevision.id == AnnotationHead.revision_id
            )
            return {
                head.annotation_id: (item.kind, item.spans, head.gone_at is None)
                for head, item in rows
            }

    def alive(self) -> set[int]:
        with self.registry.read() as session:
            return {t.task_id for t in session.query(Task) if t.gone_at is None}
