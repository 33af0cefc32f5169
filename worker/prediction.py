"""A version's window of predictions, in chunks, giving way to training between them."""

from __future__ import annotations

import logging

from model.errors import NerLoopError
from model.registry import predictions, projects, runs, versions
from model.registry.loading import read_version
from model.registry.tables_versions import AdapterVersion
from model.spans import LabelSet
from worker.context import Context
from worker.judging import look_again

log = logging.getLogger(__name__)

CHUNK = 50


def predict_window(context: Context, version_id: int) -> None:
    """Fill the window of a version, then judge it again if that is due.

    Whatever is there already stays as it is. An attempt that comes to nothing is rung for again by
    the sweeper; three in a row end it.
    """
    with context.database.begin() as session:
        version = versions.of_id(session, version_id)
        if version is None or not predictions.begin(session, version_id):
            return
    try:
        done = _fill(context, version)
        if done:
            look_again(context, version)
    except Exception as error:
        reason = str(error) if isinstance(error, NerLoopError) else type(error).__name__
        log.error("version %s cannot predict: %s", version.number, reason)
        log.debug("its cause", exc_info=error)
        with context.database.begin() as session:
            predictions.stumbled(session, version_id, reason)
        return
    if not done:
        context.doorbell.predict(version_id, -1, version.method)


def _fill(context: Context, version: AdapterVersion) -> bool:
    engine = context.engine(version.method)
    digest = version.artifact_digest
    engine.ensure(digest, lambda: read_version(context.database, context.artifacts, version.id))
    total = 0
    while True:
        with context.database.read() as session:
            labels = projects.by_id(session, version.project_id).label_set
            chunk = predictions.window(session, version.id, CHUNK) if labels else []
            training = [row for row in runs.to_ring(session) if row[2] == version.method]
        if not chunk:
            break
        if training and total:
            for row in training:
                context.doorbell.train(*row)
            return False
        said = engine.predict(
            [task.text for task in chunk], LabelSet.from_json(labels), adapter=digest
        )
        rows = [(task.task_ref, item) for task, item in zip(chunk, said, strict=True)]
        with context.database.begin() as session:
            predictions.store(session, version.id, rows)
        total += len(rows)
        log.info("version %s: %s texts predicted", version.number, total)
    with context.database.begin() as session:
        predictions.finish(session, version.id)
        projects.mark_dirty(session, version.project_id)
    return True
