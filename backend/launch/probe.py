"""Health probe of a container: ends with status 0 when the backend answers on a port."""

from __future__ import annotations

import sys

from backend.launch.product import backend_answers


def main(arguments: list[str]) -> int:
    """0 if the backend answers on the port named first, else 1."""
    return 0 if backend_answers(int(arguments[0])) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
