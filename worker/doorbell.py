"""RQ as a doorbell: it carries ids, never data, and losing it loses nothing."""

from __future__ import annotations

import logging
from typing import Final

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from model.lanes import queue_of

log = logging.getLogger(__name__)

JOB_TIMEOUT: Final = -1  # the run's own lease ends it, not RQ


class Doorbell:
    """Rings RQ for rows that wait in SQL.

    Args:
        redis: A connection; nothing is sent before the first ring.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def train(self, run_id: int, attempt: int, method: str) -> bool:
        """Ring for a training run; False if Redis does not answer."""
        return self._ring(method, "worker.jobs.train", run_id, f"run-{run_id}-{attempt}")

    def predict(self, version_id: int, attempt: int, method: str) -> bool:
        """Ring for a version's window; False if Redis does not answer."""
        return self._ring(
            method, "worker.jobs.predict", version_id, f"predict-{version_id}-{attempt}"
        )

    def _ring(self, method: str, function: str, row_id: int, job_id: str) -> bool:
        try:
            queue = Queue(queue_of(method), connection=self._redis, serializer=JSONSerializer)
            if queue.fetch_job(job_id) is not None and job_id in queue.get_job_ids():
                return True
            queue.enqueue_call(
                function,
                args=(row_id,),
                job_id=job_id,
                timeout=JOB_TIMEOUT,
                result_ttl=0,
                failure_ttl=60,
            )
        except RedisError as error:
            log.warning("Redis did not take the ring for %s: %s", job_id, type(error).__name__)
            return False
        return True
