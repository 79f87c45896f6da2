"""A bucket's store, by obstore: how it is opened, and what its errors and descriptions mean."""

import errno
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from ordersetl.errors import ConfigError, StorageError
from ordersetl.storage.disk import HINT_AT_STORE
from ordersetl.storage.local import FileStat
from ordersetl.storage.versions import ChangedError
from ordersetl.url import ObjectUrl

if TYPE_CHECKING:
    from httpx import Response
    from obstore.store import S3Store

__all__ = [
    "delete_version",
    "describe",
    "find_age",
    "find_endpoint",
    "hint_at",
    "is_loopback",
    "last_name",
    "list_column_options",
    "mark_version",
    "open_store",
    "read_parts",
    "require_listed",
    "translate_errors",
]

_MARK_DIGITS = 15
_SIGNED_FOR = timedelta(minutes=10)
_TIMEOUT_S = 60.0
_MAX_REASON = 300
_NO_BUCKET = "NoSuchBucket"
_TRIES = 6
_LOOPBACK = ("http://127.", "http://localhost", "http://[::1]")


def find_endpoint() -> str:
    """The URL of the store, where it is not that of AWS; empty there."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")


def is_loopback(endpoint: str) -> bool:
    """Whether a store is on this machine, where http:// will do."""
    return endpoint.startswith(_LOOPBACK)


def list_column_options() -> dict[str, str] | None:
    """What Polars' own reader has to know of the store; None for AWS, which it finds itself."""
    if not (endpoint := find_endpoint()):
        return None
    return {"aws_endpoint_url": endpoint, "aws_allow_http": str(is_loopback(endpoint)).lower()}


def delete_version(store: "S3Store", path: str, version: str) -> None:
    """Remove that version of an object: obstore has no conditional delete itself.

    Raises:
        ChangedError: another version is there.
        OSError: the store failed.
    """
    answer = _ask(store, "DELETE", path, {"If-Match": version})
    if answer.status_code in {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}:
        raise ChangedError(path)
    _require_success(answer, path)


def find_age(store: "S3Store", path: str) -> float:
    """Seconds since an object was put, by the store's clock, which obstore does not tell; 0 where it is gone.

    Raises:
        OSError: the store failed, or does not say.
    """
    answer = _ask(store, "HEAD", path, {})
    _require_success(answer, path)
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return 0.0
    try:
        put, now = (parsedate_to_datetime(answer.headers[name]) for name in ("Last-Modified", "Date"))
        return (now - put).total_seconds()
    except (KeyError, ValueError, TypeError):  # the last one where a time names no zone
        raise OSError(errno.EIO, "the store does not say when it was put", path) from None


def _ask(store: "S3Store", method: Literal["DELETE", "HEAD"], path: str, headers: dict[str, str]) -> "Response":
    """The answer to a request that obstore signs."""
    import httpx  # noqa: PLC0415 - few commands need it
    import obstore  # noqa: PLC0415 - an extra
    from tenacity import (  # noqa: PLC0415 - likewise
        Retrying,
        retry_if_exception_type,
        retry_if_result,
        stop_after_attempt,
        wait_exponential,
    )

    url = obstore.sign(store, method, path, _SIGNED_FOR)
    retrying = Retrying(
        retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(lambda got: got.is_server_error),
        wait=wait_exponential(multiplier=0.1, max=5),
        stop=stop_after_attempt(_TRIES),
        retry_error_callback=lambda state: state.outcome.result(),  # type: ignore[union-attr] # there was a try
    )
    try:
        answer: Response = retrying(httpx.request, method, url, headers=headers, timeout=_TIMEOUT_S)
    except httpx.TransportError as error:
        raise OSError(errno.EIO, f"the store failed: {type(error).__name__}", path) from error
    return answer


def _require_success(answer: "Response", path: str) -> None:
    if not answer.is_success and answer.status_code != HTTPStatus.NOT_FOUND:
        raise OSError(errno.EIO, f"the store answered HTTP {answer.status_code}", path)


def read_parts(store: "S3Store", path: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Parts of an object, each from a byte to another, the end exclusive; near ones by one request."""
    if not ranges:
        return []
    begins, ends = zip(*ranges, strict=True)
    return [bytes(part) for part in store.get_ranges(path, starts=begins, ends=ends)]


@cache
def open_store(bucket: str, region: str | None = None) -> "S3Store":
    """The store of a bucket, its connections used again; settings are the ``AWS_`` variables, a region comes first.

    Raises:
        ConfigError: obstore is not installed, or the variables cannot be used.
    """
    try:
        from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra
        from obstore.store import S3Store  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            "what is in s3:// needs obstore, which is not installed", hint="python3 -m pip install 'ordersetl[s3]'"
        ) from None
    options: Any = {"client_options": {"allow_http": True}} if is_loopback(find_endpoint()) else {}
    options |= {"region": region} if region else {}
    try:
        return S3Store(bucket, **options)
    except BaseError as error:
        raise ConfigError(f"cannot use s3://{bucket}: {error}", hint="Look at the AWS_ variables.") from None


@contextmanager
def translate_errors(where: ObjectUrl) -> Iterator[None]:
    """Obstore's errors as the system's.

    Raises:
        ChangedError: a condition does not hold.
        OSError: anything else.
    """
    try:
        yield
    except Exception as error:
        kind = type(error).__name__
        if kind in {"AlreadyExistsError", "PreconditionError"}:
            raise ChangedError(str(where)) from error
        reason, is_gone = _find_reason(error), kind == "NotFoundError" or isinstance(error, FileNotFoundError)
        if is_gone and _NO_BUCKET not in str(error):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(where)) from error
        if kind in {"PermissionDeniedError", "UnauthenticatedError"}:
            raise PermissionError(errno.EACCES, f"the store denies access: {reason}", str(where)) from error
        if is_gone or type(error).__module__.startswith("obstore"):
            raise OSError(errno.EIO, f"the store failed: {reason}", str(where)) from error
        raise


@contextmanager
def require_listed(where: ObjectUrl) -> Iterator[None]:
    """Obstore's errors of a listing as ours.

    Raises:
        StorageError: what is there cannot be listed.
    """
    try:
        with translate_errors(where):
            yield
    except OSError as error:
        raise StorageError(f"cannot list {where}: {error.strerror}", hint=hint_at(error)) from error


def hint_at(error: OSError) -> str:
    """What to do about an error of the store."""
    if error.errno == errno.EACCES:
        return "Give these keys the right to list, read, write and delete under the output's prefix."
    return HINT_AT_STORE


def _find_reason(error: Exception) -> str:
    """What a store's answer says of itself; of one that says nothing, its status, or how the request failed."""
    text = str(error).partition("\n\nDebug source")[0]
    said = [found.group(1) for name in ("Code", "Message") if (found := re.search(f"<{name}>([^<]+)", text))]
    reason = ": ".join(said) or text.partition("\n")[0].rpartition(" - ")[2]
    return reason.removeprefix("Server returned non-2xx status code:").strip(": ")[:_MAX_REASON]


def describe(found: Any) -> FileStat:  # noqa: ANN401 - obstore's ObjectMeta
    """What obstore says of an object."""
    return FileStat("", found["size"], mark_version(found["e_tag"]))


def mark_version(version: str | None) -> int:
    """A number that changes with the version, where records keep the time of a local file."""
    return int(hashlib.sha256((version or "").encode()).hexdigest()[:_MARK_DIGITS], 16)


def last_name(path: str) -> str:
    """The name at the end of a path."""
    return path.rstrip("/").rpartition("/")[2]
