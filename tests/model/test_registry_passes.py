"""The pass: what Label Studio shows becomes heads, fingerprints and at most one waiting run."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import func, select

from model.loop.trigger import TriggerSettings
from model.registry import gold_rows, inbox, lanes, predictions, projects, runs
from model.registry.base import utc_now
from model.registry.heads import PassInput, PassOutcome, SeenAnnotation, SeenTask, apply_pass
from model.registry.inbox import InboxEvent
from model.registry.session import Database
from model.registry.tables import AnnotationHead, AnnotationRevision, FeedbackEvent, Project, Task
from model.spans import Prediction

MakeProject = Callable[..., Project]
MADE = "2026-01-01T00:00:00Z"
RULE = TriggerSettings(min_shots=5, share=0.1, idle_seconds=600)


def seen(task: int, *spans: tuple[int, int, str], text: str = "", **more: object) -> SeenTask:
    """A task with one annotation of its own id, unless ``kind`` is ``none``."""
    kind = str(more.get("kind", "gold"))
    at = str(more.get("at", "2026-01-02T00:00:00Z"))
    content = f"{kind}{spans}{at}"
    note = SeenAnnotation(task, at, content[:64], kind, bool(more.get("star")), spans)
    return SeenTask(
        task, MADE, text or f"Ada met Bob in Rome {task}", () if kind == "none" else (note,)
    )


def run_pass(
    database: Database, project: Project, *tasks: SeenTask, later: float = 0.0, **more: object
) -> PassOutcome:
    with database.read() as session:
        now = projects.by_id(session, project.id)
        number, dirty = now.pass_no, now.dirty_seq
    ids = more.get("present")
    present = None
    if isinstance(ids, list):
        present = frozenset((i, MADE) for i in ids)
    read = PassInput(number, dirty, None, tasks, present)
    with database.begin() as session:
        return apply_pass(session, project.id, read, RULE, utc_now() + timedelta(seconds=later))


def test_five_new_shots_ask_for_one_run(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    few = [seen(n, (0, 3, "PER")) for n in range(1, 5)]
    assert run_pass(database, project, *few).runs == ()
    outcome = run_pass(database, project, seen(5, (0, 3, "PER")))
    assert [method for _, method in outcome.runs] == ["cllmfs"]
    assert outcome.decision == "5 new shots, 5 needed"
    more = [seen(n, (0, 3, "PER")) for n in range(6, 20)]
    assert run_pass(database, project, *more).decision == "a run is waiting already"


def test_a_repeated_reading_changes_nothing(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    tasks = [seen(n, (0, 3, "PER")) for n in range(1, 4)]
    for _ in range(3):
        run_pass(database, project, *tasks)
    with database.read() as session:
        assert session.scalar(select(func.count(AnnotationRevision.id))) == 3
        assert session.scalar(select(func.count(Task.id))) == 3


def test_a_slower_courier_changes_nothing(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    stale = PassInput(0, 0, None, [seen(1, (0, 3, "PER"))])
    assert run_pass(database, project).committed
    with database.begin() as session:
        assert not apply_pass(session, project.id, stale, RULE).committed
    with database.read() as session:
        assert session.scalar(select(func.count(Task.id))) == 0


def test_an_event_during_the_pass_leaves_the_project_dirty(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    read = PassInput(0, 0, None, [])
    with database.begin() as session:
        inbox.record(session, project.id, [InboxEvent("ANNOTATION_CREATED", (1, "t"), 1)])
    with database.begin() as session:
        apply_pass(session, project.id, read, RULE)
    with database.read() as session:
        now = projects.by_id(session, project.id)
        assert now.dirty_seq > now.clean_seq


def test_machine_copies_and_skips_are_no_gold(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    run_pass(
        database,
        project,
        seen(1, (0, 3, "PER")),
        seen(2, (0, 3, "PER"), kind="machine"),
        seen(3, kind="skipped"),
        seen(4, (0, 3, "PER"), kind="unusable"),
        seen(5),
    )
    with database.read() as session:
        gold = gold_rows.training_gold(session, project.id)
    assert [(len(g.spans)) for g in gold] == [1, 0]


def test_ground_truth_then_newest_speaks_for_a_task(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()

    def note(number: int, at: str, star: bool, end: int) -> SeenAnnotation:
        return SeenAnnotation(number, at, f"c{number}", "gold", star, ((0, end, "PER"),))

    old, new, starred = note(1, "1", False, 1), note(2, "3", False, 2), note(3, "2", True, 3)
    run_pass(database, project, SeenTask(1, MADE, "Ada met", (old, new)))
    with database.read() as session:
        assert gold_rows.training_gold(session, project.id)[0].spans == ((0, 2, "PER"),)
    run_pass(database, project, SeenTask(1, MADE, "Ada met", (old, new, starred)))
    with database.read() as session:
        assert gold_rows.training_gold(session, project.id)[0].spans == ((0, 3, "PER"),)


def test_a_deleted_annotation_and_a_deleted_task_leave_the_gold(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    run_pass(database, project, *[seen(n, (0, 3, "PER")) for n in (1, 2, 3)])
    run_pass(database, project, seen(1, kind="none"), present=[1, 2])
    with database.read() as session:
        gold = gold_rows.training_gold(session, project.id)
        task = session.get_one(Task, gold[0].task_ref)
        assert [g.task_ref for g in gold] == [task.id]
        assert task.task_id == 2
        gone = session.scalars(
            select(AnnotationHead.annotation_id).where(AnnotationHead.gone_at.is_not(None))
        ).all()
        assert gone == [1]


def test_tasks_never_read_are_counted(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    assert run_pass(database, project, seen(1), present=[1, 2, 3]).unread == 2


def test_a_task_that_is_there_after_all_is_read_again(
    database: Database, make_project: MakeProject
) -> None:
    """A page that moved hid task 2 once; it counts as unread until a reading brings it back."""
    project = make_project()
    run_pass(database, project, seen(1, (0, 3, "PER")), seen(2, (0, 3, "PER")))
    assert run_pass(database, project, present=[1]).unread == 0
    assert run_pass(database, project, present=[1, 2]).unread == 1
    run_pass(database, project, seen(2, (0, 3, "PER")), present=[1, 2])
    with database.read() as session:
        assert len(gold_rows.training_gold(session, project.id)) == 2


def test_a_text_that_comes_later_is_taken(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    run_pass(database, project, SeenTask(1, MADE, ""))
    with database.begin() as session:
        assert predictions.waiting(session) == []  # nothing to predict without a text
        task = session.scalars(select(Task)).one()
        predictions.store(session, 1, [(task.id, Prediction((), 1.0))])
    run_pass(database, project, seen(1, (0, 3, "PER")))
    with database.read() as session:
        assert len(gold_rows.training_gold(session, project.id)) == 1
        assert predictions.of_task(session, 1, task.id) is None


def test_a_changed_text_makes_the_task_unusable(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    run_pass(database, project, seen(1, (0, 3, "PER")))
    run_pass(database, project, seen(1, (0, 3, "PER"), text="Another text altogether"))
    with database.read() as session:
        assert gold_rows.training_gold(session, project.id) == []
        assert "changed" in (session.scalars(select(Task.unusable)).one() or "")


def test_held_out_tasks_and_their_twins_are_never_trained_on(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project(held_out=0.3)
    tasks = [seen(n, (0, 3, "PER")) for n in range(1, 101)]
    run_pass(database, project, *tasks)
    with database.read() as session:
        blind = session.scalars(select(Task).where(Task.arm == "held-out")).all()
        assert 15 <= len(blind) <= 45
        copied = f"Ada met Bob in Rome {blind[0].task_id}"
    twins = range(500, 530)
    run_pass(database, project, *[seen(n, (0, 3, "PER"), text=copied) for n in twins])
    with database.read() as session:
        gold = gold_rows.training_gold(session, project.id)
        refs = {g.task_ref for g in gold}
        assert refs.isdisjoint({t.id for t in blind})
        open_twins = session.scalars(
            select(Task.id).where(Task.task_id.in_(twins), Task.arm != "held-out")
        ).all()
        assert len(open_twins) >= 1
        assert refs.isdisjoint(open_twins)
        assert len(gold_rows.held_out_gold(session, project.id)) >= len(blind)


def test_order_and_doubling_of_events_do_not_matter(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    events = [InboxEvent("ANNOTATION_CREATED", (n, "t"), n, n) for n in range(50)] * 2
    random.Random(3).shuffle(events)
    told = 0
    for event in events:
        with database.begin() as session:
            told += inbox.record(session, project.id, [event])
    assert told == 50
    outcome = run_pass(database, project, seen(7, (0, 3, "PER")), seen(60, (0, 3, "PER")))
    assert outcome.without_event == 1


def test_a_huge_event_is_kept_as_one_and_marks_the_project_dirty(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    events = [InboxEvent("ANNOTATIONS_DELETED", (n,), n) for n in range(70_000)]
    with database.begin() as session:
        assert inbox.record(session, project.id, events) == 1
        assert inbox.record(session, project.id, list(reversed(events))) == 0
    with database.read() as session:
        assert projects.by_id(session, project.id).dirty_seq == 2


def test_old_events_are_forgotten(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    with database.begin() as session:
        inbox.record(session, project.id, [InboxEvent("A", (n,)) for n in range(3)])
        inbox.forget_old(session)
        assert session.scalar(select(func.count(FeedbackEvent.id))) == 3
        inbox.forget_old(session, days=-1)
        assert session.scalar(select(func.count(FeedbackEvent.id))) == 0


def test_asking_while_a_run_waits_asks_once(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    outcome = run_pass(database, project, *[seen(n, (0, 3, "PER")) for n in range(1, 7)])
    with database.begin() as session:
        inbox.ask_training(session, project.id)
    run_pass(database, project)
    with database.begin() as session:
        assert runs.claim(session, outcome.runs[0][0]) is not None
    assert run_pass(database, project).runs == ()


def test_idle_time_lets_few_shots_train(database: Database, make_project: MakeProject) -> None:
    project = make_project()
    assert run_pass(database, project, seen(1, (0, 3, "PER"))).runs == ()
    assert run_pass(database, project, later=599).runs == ()
    outcome = run_pass(database, project, later=601)
    assert len(outcome.runs) == 1
    assert "no change for a while" in outcome.decision


def test_a_person_may_repeat_a_run_but_the_trigger_does_not(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    outcome = run_pass(database, project, *[seen(n, (0, 3, "PER")) for n in range(1, 7)])
    run_id = outcome.runs[0][0]
    with database.begin() as session:
        claim = runs.claim(session, run_id)
        assert claim is not None
        assert runs.fail(session, run_id, claim.fence, "data", "no good")
    again = run_pass(database, project, later=10_000)
    assert (again.runs, again.decision) == ((), "nothing changed since the last run")
    with database.begin() as session:
        inbox.ask_training(session, project.id)
    asked = run_pass(database, project)
    assert len(asked.runs) == 1
    with database.read() as session:
        assert not lanes.lane(session, project.id, "cllmfs").asked


def test_new_tasks_ask_for_predictions_of_the_served_version(
    database: Database, make_project: MakeProject
) -> None:
    project = make_project()
    run_pass(database, project, seen(1, kind="none"), seen(2, kind="none"))
    with database.read() as session:
        [(version_id, attempt, method)] = predictions.waiting(session)
        assert (attempt, method) == (0, "cllmfs")
        assert len(predictions.window(session, version_id)) == 2
