"""Tell somebody: one POST of the JSON envelope when a run fails, and one when a run is well again.

It is never the reason that a run fails: what goes wrong here is a warning.
"""
# ruff: noqa: PLC0415

import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ordersetl.errors import InterruptedRunError, OrdersetlError
from ordersetl.text import one_line

if TYPE_CHECKING:
    import httpx

    from ordersetl.lake.layout import Lake
    from ordersetl.settings import Settings

__all__ = ["notify_failure", "notify_recovery"]

log = logging.getLogger(__name__)

_TOLD = "runs/_told"
"""There from the moment that somebody is told of a failure until a run is well again."""
_PAUSES_S = (1.0, 4.0)
"""Between the three tries."""
_TIMEOUT_S = 10.0
_MAX_S = 60.0
_ACCEPTED = (200, 299)
_SERVERS_FAULT = 500
_AGAIN = {408, 429}


def notify_failure(
    settings: "Settings",
    envelope: dict[str, Any],
    error: OrdersetlError,
    *,
    transport: "httpx.BaseTransport | None" = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Tell of a run that failed, unless somebody interrupted it."""
    if settings.notify_url is None or isinstance(error, InterruptedRunError):
        return
    lake = _find_lake(settings)
    if lake is not None:
        with suppress(OrdersetlError):  # no room, perhaps: what it is about is told all the same
            lake.storage.put(_TOLD, b"", durability="none")
    _post(settings, envelope, transport, sleep)


def notify_recovery(
    settings: "Settings",
    envelope: dict[str, Any],
    *,
    transport: "httpx.BaseTransport | None" = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Tell of a run that went well, where somebody was told of a failure before."""
    lake = _find_lake(settings) if settings.notify_url is not None else None
    if lake is None or not lake.storage.exists(_TOLD):
        return
    if _post(settings, envelope, transport, sleep):
        with suppress(OrdersetlError):  # it is told once more, then
            lake.storage.remove(_TOLD)


def _find_lake(settings: "Settings") -> "Lake | None":
    from ordersetl.lake.location import find_lake

    try:
        return find_lake(settings.output)
    except OrdersetlError:
        return None


def _post(
    settings: "Settings",
    envelope: dict[str, Any],
    transport: "httpx.BaseTransport | None",
    sleep: Callable[[float], None],
) -> bool:
    """Send it, three times at most and for a minute at most; whether it arrived."""
    url = settings.notify_url.get_secret_value() if settings.notify_url else ""
    problems: list[str] = ["no answer in time"]
    # a thread, since no timeout of the client bounds an answer that trickles in
    sender = threading.Thread(target=_send, args=(url, envelope, transport, sleep, problems), daemon=True)
    sender.start()
    sender.join(_MAX_S)
    if problems:
        log.warning("nobody could be told by notify_url: %s. The run itself is not affected.", problems[-1])
    return not problems


def _send(
    url: str,
    envelope: dict[str, Any],
    transport: "httpx.BaseTransport | None",
    sleep: Callable[[float], None],
    problems: list[str],
) -> None:
    """Send it; the problems are none once it has arrived."""
    import httpx

    body = json.dumps(envelope).encode()
    headers = {"Content-Type": "application/json", "User-Agent": f"ordersetl/{envelope['version']}"}
    with httpx.Client(transport=transport, timeout=_TIMEOUT_S) as http:
        for pause_s in (*_PAUSES_S, None):
            try:
                with http.stream("POST", url, content=body, headers=headers) as answer:  # its body is nobody's concern
                    status = answer.status_code
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                problems.append(one_line(type(error).__name__))  # its text may quote the URL
            else:
                if _ACCEPTED[0] <= status <= _ACCEPTED[1]:
                    problems.clear()
                    return
                problems.append(f"HTTP {status}")
                if status < _SERVERS_FAULT and status not in _AGAIN:
                    return
            if pause_s is not None:
                sleep(pause_s)
