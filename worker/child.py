"""The child process: an RQ worker that keeps the base model warm and may die at any moment."""

from __future__ import annotations

import logging
import os
import threading
import time

from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from worker.context import Context, install
from worker.logs import set_up_logs
from worker.settings import WorkerSettings

MAX_JOBS = 50


def main(queue: str, parent: int) -> None:
    """Work on a queue until 50 jobs are done or the process ends.

    Args:
        queue: ``fast`` or ``slow``.
        parent: Process id of the parent; when it is gone, so is this process.
    """
    settings = WorkerSettings.from_environ(os.environ)
    set_up_logs(settings.log_level)
    threading.Thread(target=_follow, args=(parent,), name="follow", daemon=True).start()
    context = Context(settings)
    install(context)
    worker = SimpleWorker(
        [Queue(queue, connection=context.redis, serializer=JSONSerializer)],
        connection=context.redis,
        serializer=JSONSerializer,
        log_job_description=False,
    )
    logging.getLogger(__name__).info("ready for the %s queue", queue)
    worker.work(max_jobs=MAX_JOBS, logging_level="WARNING")


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(0)  # nobody is left who would restart or stop us
