"""`python -m worker --queue slow`: work on training and prediction until stopped."""

from __future__ import annotations

import argparse
import os
import sys

from model.errors import NerLoopError
from model.lanes import QUEUES
from worker.logs import set_up_logs
from worker.parent import Parent
from worker.settings import WorkerSettings


def main() -> int:
    """Parse the command line, then supervise one child."""
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument(
        "--queue",
        choices=QUEUES,
        default="slow",
        help="fast: encoder methods; slow: the LLM (default)",
    )
    queue = parser.parse_args().queue
    try:
        settings = WorkerSettings.from_environ(os.environ)
        set_up_logs(settings.log_level)
        Parent(settings, queue).run()
    except NerLoopError as error:
        print(f"worker: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
