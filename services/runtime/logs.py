"""Logs: one line per fact on standard error, JSON for machines or a console format for people.

What libraries log through the standard library takes the same way out, so that every line can be parsed
and none can carry a secret.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from services.runtime.telemetry import current_traceparent

HIDDEN: Final = "[hidden]"

_SECRET_KEY: Final = re.compile(r"seed|passw|token|cred|authorization|nkey|secret", re.IGNORECASE)
_SECRET_TEXT: Final = re.compile(
    r"(?<![A-Z2-7])S[A-Z2-7]{57}(?![A-Z2-7])"  # the seed of an nkey: 58 characters of base32
    r"|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"  # a JWT: three parts in base64url, the first a JSON object
    r"|(?<=://)[^/\s@\"']+(?=@)"  # user and password of a URL
)
_MAX_DEPTH: Final = 6

Format = Literal["json", "console"]
Level = Literal["debug", "info", "warning", "error"]


def configure(fmt: Format, level: Level, service: str) -> None:
    """From here on, structlog and the standard library write one format to standard error.

    May be called again; the last call wins.
    """
    threshold = getattr(logging, level.upper())
    about: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Heading(service),
    ]
    out: list[Processor] = [_exceptions(fmt), hide_secrets, _Masked(_renderer(fmt))]
    structlog.configure(
        processors=[*about, *out],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,  # else a logger used before a second call keeps the first format
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *about],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *out],
        )
    )
    logging.captureWarnings(capture=True)
    logging.basicConfig(handlers=[handler], level=threshold, force=True)


def without_secrets(text: str) -> str:
    """The text with nkey seeds, JWTs and the user part of URLs masked."""
    return _SECRET_TEXT.sub(HIDDEN, text)


def hide_secrets(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Masks the values of keys that name a secret, at any depth that is sensible to log."""
    for key, value in event_dict.items():
        if _SECRET_KEY.search(key):
            event_dict[key] = HIDDEN
        elif isinstance(value, dict | list | tuple):
            event_dict[key] = _hidden_inside(value, _MAX_DEPTH)
    return event_dict


def _hidden_inside(value: Any, depth: int) -> Any:
    if depth == 0:
        return "..."
    match value:
        case Mapping():
            return {
                key: HIDDEN if _SECRET_KEY.search(str(key)) else _hidden_inside(inner, depth - 1)
                for key, inner in value.items()
            }
        case list() | tuple():
            return [_hidden_inside(inner, depth - 1) for inner in value]
        case _:
            return value


class _Heading:
    """Puts what every line has first, and adds the service and the trace."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
        heading: dict[str, Any] = {
            "timestamp": event_dict.pop("timestamp"),
            "level": event_dict.pop("level"),
            "service": self._service,
            "event": event_dict.pop("event"),
        }
        traceparent = current_traceparent()
        if traceparent is not None:
            heading["trace_id"] = traceparent[3:35]
        heading.update(event_dict)
        return heading


class _Masked:
    """Masks secrets in the finished line, where even the repr of an object cannot hide one."""

    def __init__(self, render: Processor) -> None:
        self._render = render

    def __call__(self, logger: WrappedLogger, method: str, event_dict: MutableMapping[str, Any]) -> str:
        return without_secrets(str(self._render(logger, method, event_dict)))


def _exceptions(fmt: Format) -> Processor:
    if fmt == "console":
        return structlog.processors.format_exc_info
    # Local variables would put what people wrote into the logs.
    return structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
    )


def _renderer(fmt: Format) -> Processor:
    if fmt == "console":
        return structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.processors.JSONRenderer(ensure_ascii=False)
