"""The `nerloop` command."""

from __future__ import annotations

import sys

from model.errors import NerLoopError


def main() -> None:
    """Run the command line; an expected error is one sentence, never a traceback."""
    from backend.cli.application import build

    try:
        build()()
    except NerLoopError as error:
        _complain(str(error))
        raise SystemExit(1) from None


def _complain(sentence: str) -> None:
    from rich.console import Console

    # no markup: the sentence may hold brackets that came from a person
    Console(file=sys.stderr, soft_wrap=True).print(sentence, style="red", markup=False)
