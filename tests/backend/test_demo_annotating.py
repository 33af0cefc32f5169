"""The demo's texts annotated by command: its own project only, as a person would do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backend.cli.application import build
from backend.courier.rounds import Courier, Visit
from backend.demo import annotating
from backend.demo.annotating import NothingOpenError, NotTheDemoError
from backend.demo.project import HELD_OUT_SHARE, TITLE
from backend.demo.texts import demo_gold, demo_label_config, demo_texts
from backend.enrolment import Enrolment
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.connect import connect
from backend.labelstudio.tokens import Connection
from backend.secret_values import Secret
from backend.settings import Settings
from fake_label_studio import FakeLabelStudio
from model.loop.arms import arm_of
from model.registry import gold_rows, projects
from model.registry.session import Database
from model.registry.tables import Project, Task

TASKS = 40


class Demo:
    """The demo project on a fake Label Studio, after the first pass of its courier."""

    def __init__(self, settings: Settings, registry: Database, enrolment: Enrolment) -> None:
        self.fake = FakeLabelStudio(title=TITLE, config=demo_label_config())
        self.registry = registry
        for number, text in enumerate(demo_texts()[:TASKS], start=1):
            self.fake.add_task(number, text)
        connect(
            Connection("http://ls", Secret(self.fake.token)),
            1,
            backend_url="http://nerloop",
            settings=settings,
            database=registry,
            enrolment=enrolment,
            held_out=HELD_OUT_SHARE,
            open_client=self.client,
        )
        self._courier = Courier(settings, registry, open_client=self.client)
        self.read()

    def client(self, connection: Connection) -> LabelStudioClient:
        return LabelStudioClient(connection.url, connection.token, transport=self.fake.transport())

    def row(self) -> Project:
        with self.registry.read() as session:
            return projects.by_label_studio(session, 1)

    def read(self) -> None:
        self._courier.one_pass(self.row(), Visit())

    def annotate(self, most: int | None, *, held_out: bool) -> annotating.Done:
        with self.client(Connection("http://ls", Secret(self.fake.token))) as client:
            return annotating.annotate(
                client, self.registry, self.row(), most=most, held_out_only=held_out
            )

    def held_out(self) -> set[int]:
        with self.registry.read() as session:
            return {row.task_id for row in session.query(Task).filter_by(arm="held-out")}

    def annotated(self) -> set[int]:
        return {number for number, task in self.fake.tasks.items() if task["annotations"]}


@pytest.fixture
def demo(settings: Settings, registry: Database, enrolment: Enrolment) -> Demo:
    return Demo(settings, registry, enrolment)


@pytest.fixture
def run(demo: Demo, home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    for name in ("DATABASE_URL", "NERLOOP_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        "backend.labelstudio.client.LabelStudioClient",
        lambda url, token: LabelStudioClient(url, token, transport=demo.fake.transport()),
    )
    return lambda *more: CliRunner().invoke(build(), ["demo-annotate", *more, "--home", str(home)])


def test_the_blind_texts_get_their_gold(demo: Demo) -> None:
    blind = demo.held_out()
    assert 0 < len(blind) < TASKS
    done = demo.annotate(None, held_out=True)
    assert demo.annotated() == blind
    assert (done.texts, done.held_out) == (len(blind), len(blind))
    assert (done.slice.texts, done.slice.annotated) == (len(blind), len(blind))
    demo.read()
    gold = {item.text: item.spans for item in demo_gold()}
    with demo.registry.read() as session:
        kept = gold_rows.held_out_gold(session, demo.row().id)
    assert len(kept) == len(blind)  # all of them count as gold, offsets and labels intact
    assert all(set(item.gold.spans) == set(gold[item.gold.text]) for item in kept)
    with pytest.raises(NothingOpenError, match="No held-out text"):
        demo.annotate(None, held_out=True)


def test_texts_of_all_arms_up_to_a_number(demo: Demo) -> None:
    done = demo.annotate(30, held_out=False)
    assert done.texts == len(demo.annotated()) == 30
    assert done.held_out == len(demo.annotated() & demo.held_out()) < 30
    demo.read()
    assert demo.annotate(None, held_out=False).texts == TASKS - 30


def test_texts_that_are_not_the_demos_are_left_alone(demo: Demo) -> None:
    demo.fake.add_task(99, "A text somebody added.")
    demo.read()
    demo.annotate(None, held_out=False)
    assert demo.annotated() == set(range(1, TASKS + 1))


def test_another_project_is_refused(demo: Demo) -> None:
    demo.fake.title = "Contracts"
    with pytest.raises(NotTheDemoError, match=r'"Contracts".*not the demo.*nothing was written'):
        demo.annotate(None, held_out=True)
    assert not demo.annotated()


def test_the_demo_is_found_by_its_title(demo: Demo) -> None:
    with demo.registry.begin() as session:
        assert annotating.demo_project(session, None).ls_id == 1
        assert annotating.demo_project(session, 1).ls_id == 1
        projects.by_label_studio(session, 1).title = "Contracts"
        session.flush()
        with pytest.raises(NotTheDemoError, match="nerloop demo"):
            annotating.demo_project(session, None)
        with pytest.raises(NotTheDemoError, match="Contracts"):
            annotating.demo_project(session, 1)
        session.rollback()


def test_the_command_says_how_far_the_gate_is(
    run: Callable[..., Result], demo: Demo, settings: Settings
) -> None:
    blind = len(demo.held_out())
    first = run("--texts", "1")
    assert first.exit_code == 0, first.output
    assert f"1 of the {blind} held-out texts are annotated now; a verdict needs 25" in first.stdout
    assert "holds out too few for any" in first.stdout
    assert len(demo.annotated()) == 1
    demo.read()
    assert "Annotated 24 texts" in run("--all").stdout


@pytest.mark.parametrize(
    ("share", "annotated", "words"),
    [(52, 10, "nerloop demo-annotate --held-out"), (52, 52, "nerloop demo-annotate --all")],
)
def test_what_to_do_next(share: int, annotated: int, words: str) -> None:
    from backend.cli.demo_commands import told
    from model.registry.open_texts import HeldOutSlice

    assert words in told(annotating.Done(10, 10, HeldOutSlice(share, annotated)))
    more = told(annotating.Done(30, 6, HeldOutSlice(52, 52)))
    assert "24 to learn from" in more
    assert "training run follows" in more


def test_enough_of_the_demo_is_held_out() -> None:
    """Whatever the salt: the fewest of 300 draws over the 260 texts are above the 25 needed."""
    texts = len(demo_texts())
    fewest = min(
        sum(
            arm_of(f"salt{salt}", task, "2026-11-20T09:00:00Z", HELD_OUT_SHARE) == "held-out"
            for task in range(1, texts + 1)
        )
        for salt in range(300)
    )
    assert fewest >= 28
