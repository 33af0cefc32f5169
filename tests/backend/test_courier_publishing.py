"""Stored predictions reach Label Studio once, then the pointer; people are not fought."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from backend.courier.publishing import Published, validator
from backend.enrolment import Enrolment
from backend.labelstudio.errors import LabelStudioAnswerError, PushError
from backend.settings import Settings
from courier_states import TASKS, Publishing
from fake_label_studio import CONFIG, FakeLabelStudio
from model.registry import aliases, predictions, projects
from model.registry.session import Database


@pytest.fixture
def state(
    label_studio: FakeLabelStudio, settings: Settings, registry: Database, enrolment: Enrolment
) -> Publishing:
    return Publishing(label_studio, settings, registry, enrolment)


def test_nothing_happens_before_the_window_is_predicted(state: Publishing) -> None:
    assert state.publish() == Published()
    assert state.fake.rows == []
    assert state.fake.pointer == "nerloop"


def test_rows_are_pushed_with_ranks_and_the_pointer_follows(state: Publishing) -> None:
    state.predict()
    assert state.publish() == Published(TASKS, "1.0")
    rows = state.fake.rows
    assert sorted(row["task"] for row in rows) == list(range(1, TASKS + 1))
    assert {row["model_version"] for row in rows} == {"1.0"}
    scores = [row["score"] for row in rows]
    assert len(set(scores)) == TASKS
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert state.fake.pointer == "1.0"
    assert (state.row().pointer_seen, state.row().pointer_wanted) == ("1.0", "1.0")


def test_held_out_tasks_are_pushed_empty_all_others_with_their_spans(state: Publishing) -> None:
    blind = state.held_out()
    assert 0 < len(blind) < TASKS
    state.predict()
    state.publish()
    assert {row["task"] for row in state.fake.rows if row["result"] == []} == blind
    for row in state.fake.rows:
        for region in row["result"]:
            assert region["value"] == {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}


def test_doing_it_again_writes_nothing(state: Publishing) -> None:
    state.predict()
    state.publish()
    state.fake.calls.clear()
    assert state.publish() == Published()
    assert state.fake.calls == []


def test_promotion_and_roll_back_push_once_and_move_the_pointer(state: Publishing) -> None:
    state.predict()
    state.publish()
    state.promote(1)
    assert state.publish() == Published()  # the new version's window is not predicted yet
    assert state.fake.pointer == "1.0"
    state.predict()
    assert state.publish() == Published(TASKS, "1.1")
    state.promote(0)
    assert state.publish() == Published(0, "1.0")  # its rows are still there
    assert len(state.fake.rows) == 2 * TASKS


def test_new_tasks_are_pushed_without_touching_the_pointer(state: Publishing) -> None:
    state.predict()
    state.publish()
    state.fake.add_task(TASKS + 1, "Ada met Bob again")
    state.read()
    state.predict()
    assert state.publish() == Published(1, None)


def test_a_crash_after_the_push_doubles_no_row(state: Publishing) -> None:
    """The rows arrived, but our note that they did was lost."""
    state.predict()
    state.publish()
    state.fake.rows = [row for row in state.fake.rows if row["task"] != 4]
    with state.registry.begin() as session:
        version = aliases.served(session, 1).version_id
        for row in predictions.unpushed(session, version) or []:
            raise AssertionError(row)
        session.connection().exec_driver_sql("UPDATE predictions SET pushed_at = NULL")
    assert state.publish() == Published(1, None)
    assert sorted(row["task"] for row in state.fake.rows) == list(range(1, TASKS + 1))


def test_rows_dropped_without_a_word_are_pushed_by_the_next_call(state: Publishing) -> None:
    state.predict()
    state.fake.drop = 3
    with pytest.raises(PushError, match="7 of 10"):
        state.publish()
    assert state.fake.pointer == "nerloop"
    assert state.publish() == Published(3, "1.0")
    assert sorted(row["task"] for row in state.fake.rows) == list(range(1, TASKS + 1))


def test_a_task_deleted_meanwhile_delays_the_push_by_one_pass(state: Publishing) -> None:
    state.predict()
    del state.fake.tasks[4]
    with pytest.raises(LabelStudioAnswerError):
        state.publish()
    state.read()
    assert state.publish() == Published(TASKS - 1, "1.0")


def test_a_pointer_somebody_moved_is_noted_and_left_alone(state: Publishing) -> None:
    state.predict()
    state.publish()
    state.fake.rows.append({"task": 1, "model_version": "theirs"})
    for theirs in ("theirs", ""):
        state.fake.pointer = theirs
        state.read()
        assert state.publish() == Published()
        assert state.fake.pointer == theirs
        assert (state.row().pointer_seen, state.row().pointer_wanted) == (theirs, "1.0")
    state.promote(1)  # a new wish of ours is carried out
    state.predict()
    assert state.publish().moved_to == "1.1"


def test_a_pointer_back_at_our_title_is_moved_again(state: Publishing) -> None:
    """Label Studio puts it there by itself, and then draws tasks at random."""
    state.predict()
    state.publish()
    state.fake.pointer = "nerloop"
    state.read()
    assert state.publish().moved_to == "1.0"


def test_with_every_task_annotated_there_is_nothing_to_point_at(state: Publishing) -> None:
    for number in range(1, TASKS + 1):
        state.fake.annotate(number, (0, 3, "PER"))
    state.read()
    assert state.publish() == Published()
    assert state.fake.pointer == "nerloop"


def test_a_label_that_was_removed_does_not_lose_the_task(state: Publishing) -> None:
    state.predict(label="Gone")
    assert state.publish() == Published(TASKS, "1.0")
    assert all(row["result"] == [] for row in state.fake.rows)


def test_rows_somebody_deleted_are_pushed_again_after_a_roll_back(state: Publishing) -> None:
    state.predict()
    state.publish()
    state.promote(1)
    state.predict()
    state.publish()
    state.fake.rows = [row for row in state.fake.rows if row["model_version"] != "1.0"]
    with state.registry.begin() as session:
        aliases.roll_back(session, 1, actor="test", reason="because")
    assert state.publish() == Published()  # they are not there, so there is nothing to point at
    assert state.publish() == Published(TASKS, "1.0")
    assert state.fake.pointer == "1.0"


def test_other_labels_are_asked_anew(state: Publishing) -> None:
    state.predict()
    state.publish()
    state.fake.config = CONFIG.replace("</Labels>", '<Label value="TOOL"/></Labels>')
    state.read()
    assert state.fake.rows == []
    assert state.publish() == Published()
    state.predict()
    assert state.publish() == Published(TASKS, "1.0")
    assert state.fake.pointer == "1.0"


def test_while_the_config_is_broken_nothing_is_pushed(state: Publishing) -> None:
    state.predict()
    state.fake.config = "<View></View>"
    state.read()
    assert state.publish() == Published()


def test_label_studios_own_check_is_asked() -> None:
    is_valid = validator(CONFIG)
    region: dict[str, Any] = {
        "id": "a",
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]},
    }
    row = {"model_version": "1.0", "score": 0.5, "result": [region]}
    assert is_valid(row)
    assert not is_valid(row | {"score": 1.5})
    assert not is_valid(row | {"result": [region | {"from_name": "other"}]})


def test_rounds_push_and_report_trouble_once(
    state: Publishing, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    courier = state.courier
    courier._clock = lambda: now[0]

    def down(method: str, path: str) -> httpx.Response | None:
        raise httpx.ConnectError("refused")

    state.predict()
    state.fake.fail = down
    for _ in range(200):
        courier.round()
        now[0] += 1.0
    error = state.row().connection_error
    assert error is not None
    assert "cannot be reached" in error
    assert caplog.text.count("cannot be reached") == 1
    assert len(state.fake.calls) < 60  # pauses grow to a minute
    state.fake.fail = None
    now[0] += 60.0
    courier.round()
    assert state.row().connection_error is None
    assert state.fake.pointer == "1.0"


def test_a_wrong_token_is_told_with_its_fix_and_without_the_token(
    state: Publishing, caplog: pytest.LogCaptureFixture
) -> None:
    state.fake.token = "another"
    state.courier.round()
    error = state.row().connection_error
    assert error is not None
    assert "nerloop connect" in error
    assert "0123456789abcdef" not in caplog.text


def test_a_burst_is_read_once_when_it_is_over(state: Publishing) -> None:
    now = [0.0]
    courier = state.courier
    courier._clock = lambda: now[0]
    courier.round()
    passes = []
    for _ in range(20):
        with state.registry.begin() as session:
            projects.mark_dirty(session, 1)
        now[0] += 0.5
        courier.round()
        passes.append(state.row().pass_no)
    assert len(set(passes)) == 1
    now[0] += 2.0
    courier.round()
    assert state.row().pass_no == passes[-1] + 1
    now[0] += 60.0
    courier.round()
    assert state.row().pass_no == passes[-1] + 2  # without any event, once a minute
