"""The doorbell: wakes a worker through RQ; the work itself is a row in SQL."""

from __future__ import annotations

import logging

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from backend.secret_values import Secret
from model.lanes import queue_of

log = logging.getLogger(__name__)

FAILED_SECONDS = 60
"""How long Redis keeps a failed job; the row in SQL says what happened."""


def ring_train(redis_url: Secret, run_id: int, attempt: int, method: str) -> bool:
    """Tell a worker that a training run waits.

    Returns:
        Whether Redis took it. If not, the row says so and the sweeper rings again later.
    """
    return _ring(redis_url, method, "worker.jobs.train", run_id, f"run-{run_id}-{attempt}")


def ring_predict(redis_url: Secret, version_id: int, attempt: int, method: str) -> bool:
    """Tell a worker that a version's window waits to be predicted; returns as ring_train."""
    name = f"predict-{version_id}-{attempt}"
    return _ring(redis_url, method, "worker.jobs.predict", version_id, name)


def _ring(redis_url: Secret, method: str, job: str, argument: int, job_id: str) -> bool:
    try:
        connection = Redis.from_url(
            redis_url.reveal(), socket_connect_timeout=1.0, socket_timeout=2.0
        )
        with connection:
            # no pickle: whoever can write to Redis could otherwise run code in the worker
            Queue(queue_of(method), connection=connection, serializer=JSONSerializer).enqueue(
                job,
                argument,
                job_id=job_id,
                job_timeout=-1,  # the sweeper revokes silent holders; RQ's clock would kill a fit
                result_ttl=0,
                failure_ttl=FAILED_SECONDS,
            )
    except (RedisError, OSError, ValueError) as error:
        # the address may hold a password, so only the kind of failure is told
        log.warning(
            "Redis did not take %s (%s); the sweeper will ring again.", job_id, type(error).__name__
        )
        return False
    return True
