"""A pass: Label Studio's state becomes heads, whatever events were lost."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from backend.courier.reading import Memory, read_project, seen_task
from backend.courier.rounds import Visit
from backend.enrolment import Enrolment
from backend.labelstudio import client as client_module
from backend.labelstudio.answers import LsTask
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.errors import LabelStudioNotFoundError
from backend.labelstudio.label_config import span_control
from backend.secret_values import Secret
from backend.settings import Settings
from courier_states import Passes
from fake_label_studio import CONFIG, FakeLabelStudio
from model.registry import projects, runs
from model.registry.heads import PassOutcome
from model.registry.session import Database
from model.registry.tables import AnnotationRevision, Lane, Task


@pytest.fixture
def passes(
    label_studio: FakeLabelStudio, settings: Settings, registry: Database, enrolment: Enrolment
) -> Passes:
    return Passes(label_studio, settings, registry, enrolment)


def test_annotations_are_found_without_any_event(passes: Passes) -> None:
    fake = passes.fake
    fake.add_task(1, "Ada met Bob")
    fake.add_task(2, "Nobody")
    fake.annotate(1, (0, 3, "PER"), number=11)
    assert passes.one().committed
    assert passes.heads() == {11: ("gold", [[0, 3, "PER"]], True)}
    assert passes.alive() == {1, 2}
    fake.annotate(1, (0, 3, "PER"), (8, 11, "PER"), number=11)
    fake.annotate(2, number=21)
    outcome = passes.one()
    assert outcome.without_event == 2
    assert passes.heads() == {
        11: ("gold", [[0, 3, "PER"], [8, 11, "PER"]], True),
        21: ("gold", [], True),
    }


def test_deleted_annotations_and_tasks_are_found_without_any_event(passes: Passes) -> None:
    fake = passes.fake
    for number in (1, 2, 3):
        fake.add_task(number, "Ada met Bob")
        fake.annotate(number, (0, 3, "PER"), number=10 + number)
    passes.one()
    fake.tasks[1]["annotations"] = []
    fake.tasks[1]["updated_at"] = fake.now()
    del fake.tasks[2]
    passes.one()
    assert [alive for _, _, alive in passes.heads().values()] == [False, True, True]
    assert passes.alive() == {1, 3}


def test_only_what_changed_is_read_again(passes: Passes) -> None:
    fake = passes.fake
    for number in range(1, 6):
        fake.add_task(number, "Ada")
    passes.one()
    fake.clock += 600
    fake.add_task(6, "Later")
    passes.one()
    fake.annotate(3, (0, 3, "PER"))
    row = passes.row()
    with LabelStudioClient("http://ls", Secret(fake.token), transport=fake.transport()) as client:
        read = read_project(client, row, passes.visit.memory)
    assert [task.task_id for task in read.input.tasks] == [3, 6]  # 6 overlaps
    assert read.input.cursor == fake.tasks[3]["updated_at"]
    assert read.labels is None


def test_skips_copies_and_wrong_offsets_never_become_gold(passes: Passes) -> None:
    fake = passes.fake
    for number in range(1, 5):
        fake.add_task(number, "Ada met Bob")
    fake.annotate(1, (0, 3, "PER"), number=1, was_cancelled=True)
    fake.annotate(2, (0, 3, "PER"), number=2, parent_prediction=7, lead_time=None)
    fake.annotate(3, (0, 3, "PER"), number=3)
    fake.tasks[3]["annotations"][0]["result"][0]["value"]["text"] = "ada"
    fake.annotate(4, (0, 3, "ORG"), number=4)
    passes.one()
    assert {number: kind for number, (kind, _, _) in passes.heads().items()} == {
        1: "skipped",
        2: "machine",
        3: "unusable",
        4: "unusable",
    }
    with passes.registry.read() as session:
        reasons = [item.reason for item in session.query(AnnotationRevision) if item.reason]
    assert len(reasons) == 2


def test_five_shots_request_one_run_and_ring_is_not_needed(passes: Passes) -> None:
    fake = passes.fake
    for number in range(1, 7):
        fake.add_task(number, f"Ada met Bob {number}")
    for number in range(1, 5):
        fake.annotate(number, (0, 3, "PER"))
    assert passes.one().runs == ()
    fake.annotate(5, (0, 3, "PER"))
    outcome = passes.one()
    assert [method for _, method in outcome.runs] == ["cllmfs"]
    assert "5 new shots" in outcome.decision
    assert passes.one().runs == ()
    with passes.registry.read() as session:
        assert [run.state for run in runs.recent(session, 1)] == ["requested"]


def test_new_labels_are_taken_over_and_everything_is_judged_anew(passes: Passes) -> None:
    fake = passes.fake
    fake.add_task(1, "Ada met Bob")
    fake.annotate(1, (0, 3, "ORG"), number=1)
    passes.one()
    assert passes.heads()[1][0] == "unusable"
    fake.config = CONFIG.replace('<Label value="PER"/>', '<Label value="PER"/><Label value="ORG"/>')
    fake.clock += 3600  # the task itself does not change, and it lies far before the cursor
    fake.add_task(2, "Later")
    passes.one()
    assert [item["name"] for item in passes.row().label_set] == ["PER", "ORG", "LOC"]
    assert passes.heads()[1][0] == "gold"


def test_a_broken_config_is_shown_and_loses_nothing(passes: Passes) -> None:
    fake = passes.fake
    fake.add_task(1, "Ada met Bob")
    passes.one()
    fake.config = '<View><Choices name="c" toName="t"/></View>'
    fake.annotate(1, (0, 3, "PER"), number=1)
    passes.one()
    row = passes.row()
    assert row.config_error is not None
    assert "no <Labels> control" in row.config_error
    assert [item["name"] for item in row.label_set] == ["PER", "LOC"]
    assert row.dirty_seq == row.clean_seq
    assert passes.heads() == {}
    fake.config = CONFIG
    passes.one()
    assert passes.row().config_error is None
    assert passes.heads()[1][0] == "gold"


def test_a_reused_task_id_is_a_new_task(passes: Passes) -> None:
    fake = passes.fake
    fake.add_task(1, "Ada met Bob")
    passes.one()
    del fake.tasks[1]
    fake.add_task(1, "Another text")
    passes.one()
    with passes.registry.read() as session:
        rows = session.query(Task).order_by(Task.id).all()
        assert [(task.task_id, task.gone_at is None) for task in rows] == [(1, False), (1, True)]


def test_a_reused_project_number_is_noticed(passes: Passes) -> None:
    passes.fake.created_at = "2024-01-01T00:00:00Z"
    with pytest.raises(LabelStudioNotFoundError, match="another project"):
        passes.one()


def test_a_second_courier_that_was_quicker_wins(passes: Passes) -> None:
    passes.fake.add_task(1, "Ada")
    stale = passes.row()
    assert passes.one().committed
    passes.fake.config = CONFIG.replace("LOC", "Plant")
    assert passes.courier.one_pass(stale, Visit()).committed is False
    assert [item["name"] for item in passes.row().label_set] == ["PER", "LOC"]


def test_an_event_during_the_pass_leaves_the_project_dirty(passes: Passes) -> None:
    def event(method: str, path: str) -> httpx.Response | None:
        if path.endswith("/api/tasks"):
            with passes.registry.begin() as session:
                projects.mark_dirty(session, 1)
        return None

    passes.fake.fail = event
    passes.one()
    row = passes.row()
    assert row.dirty_seq > row.clean_seq


def test_large_projects_are_checked_page_by_page(
    passes: Passes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of 4 ids; a deletion behind equal counters is found within one round."""
    monkeypatch.setattr(client_module, "ID_PAGE", 4)
    monkeypatch.setattr("backend.courier.reading.ID_PAGE", 4)
    fake = passes.fake
    for number in range(1, 12):
        fake.add_task(number, "Ada")
    passes.one()
    assert passes.alive() == set(range(1, 12))
    fake.calls.clear()
    passes.one()
    assert fake.calls.count(("GET", "/api/tasks")) == 2  # what changed, and one page of ids
    del fake.tasks[2]
    passes.one()  # the counters disagree
    assert passes.alive() == set(range(1, 12)) - {2}
    del fake.tasks[9]
    fake.add_task(12, "Ada")  # the counters agree again
    for _ in range(3):
        passes.one()
    assert passes.alive() == (set(range(1, 13)) - {2, 9})


def test_a_task_without_a_text_is_known_but_unusable() -> None:
    task = LsTask(1, "t", "t", {"other": "x"}, ({"id": 5, "result": [], "updated_at": "t"},))
    seen = seen_task(span_control(CONFIG), task)
    assert (seen.text, seen.annotations[0].kind) == ("", "unusable")
    assert seen.annotations[0].reason == "The task has no text under text."


def test_characters_no_database_takes_keep_their_place() -> None:
    task = LsTask(1, "t", "t", {"text": "a\x00b\ud800c"}, ())
    assert seen_task(span_control(CONFIG), task).text == "a\ufffdb\ufffdc"


def test_memory_reads_everything_after_two_unread_tasks_in_a_row() -> None:
    memory = Memory()
    memory.learn(PassOutcome(committed=True))
    assert not memory.whole
    memory.learn(PassOutcome(committed=True, unread=1))
    assert not memory.whole  # perhaps it was only made while we were reading
    memory.learn(PassOutcome(committed=True, unread=1))
    assert memory.whole


def test_training_that_was_asked_for_is_requested_by_the_next_pass(passes: Passes) -> None:
    passes.fake.add_task(1, "Ada met Bob")
    passes.fake.annotate(1, (0, 3, "PER"))
    assert passes.one().runs == ()
    with passes.registry.begin() as session:
        session.get_one(Lane, (1, "cllmfs")).asked = True
    assert len(passes.one().runs) == 1


def test_a_higher_threshold_waits_longer(
    label_studio: FakeLabelStudio, settings: Settings, registry: Database, enrolment: Enrolment
) -> None:
    patient = Passes(label_studio, replace(settings, min_shots=8), registry, enrolment)
    for number in range(1, 8):
        label_studio.add_task(number, f"Ada met Bob {number}")
        label_studio.annotate(number, (0, 3, "PER"))
    assert patient.one().runs == ()
