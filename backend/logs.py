"""Logging of the backend and the courier: one line each, without credentials."""

from __future__ import annotations

import logging
import re

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_CREDENTIAL = re.compile(
    r"(?i)\b(basic|bearer|token)\s+[a-z0-9+/=_.\-]{16,}"  # headers
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # addresses with a password
    r"|\bnerloop_[\w-]{43}"  # people's own tokens, see model.registry.credentials
    r"|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"  # personal tokens
)


class CleanFormatter(logging.Formatter):
    """A last net: whatever looks like a credential is blotted out, in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback if there is one, without credentials."""
        return blotted(super().format(record))


def blotted(text: str) -> str:
    """The text with everything that looks like a credential replaced."""
    return _CREDENTIAL.sub("***", text)


def set_up(level: str) -> None:
    """Log to standard error at this level; chatty libraries only from warnings on."""
    handler = logging.StreamHandler()
    handler.setFormatter(CleanFormatter(FORMAT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("httpx", "httpcore", "alembic", "rq", "transformers", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
