"""The log: one `noun.happened` event per line, its facts as keys, for people (console) or machines (JSON).

Messages are constants and variables are keys, so that a search for an event finds all of it. Secrets show themselves
nowhere, also not deep inside a value, and tracebacks carry no locals.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import orjson

from controller.model import Secret

# structlog loads rich where it finds it, five megabytes for tracebacks in colour, of which ours are none.
_IS_HIDDEN = sys.modules.setdefault("rich", None) is None  # type: ignore[arg-type]
import structlog  # noqa: E402
from structlog.typing import EventDict, Processor, WrappedLogger  # noqa: E402

if _IS_HIDDEN:
    del sys.modules["rich"]


def configure_logging(*, json: bool, level: str = "info") -> None:
    """Set the log up for this process, on stderr: results go to stdout. `level` is debug, info, warning or error."""
    structlog.configure(
        processors=[*_shared(), *(_for_machines() if json else _for_people())],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer)
        if json
        else structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def hide_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:  # noqa: ARG001
    """Put a Secret's mask in its place, at any depth. A processor of structlog."""
    for key, value in event.items():
        event[key] = _masked(value)
    return event


def _masked(value: Any) -> Any:
    match value:
        case Secret():
            return repr(value)
        case Mapping():
            return {_masked(key): _masked(inner) for key, inner in value.items()}
        case list() | tuple() | AbstractSet():
            return [_masked(inner) for inner in value]
        case _:
            return value


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]


def _for_machines() -> list[Processor]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]


def _json(event: EventDict, **_: Any) -> bytes:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS)


def _for_people() -> list[Processor]:
    # rich and better-exceptions would show the locals of each frame, decrypted values among them.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
