"""Object storage: what a store answers that fails, and what people are told of it."""

from collections.abc import Callable
from typing import Any

import pytest
from store import BUCKET

from ordersetl.errors import StorageError
from ordersetl.storage import objects
from ordersetl.storage.disk import Disk
from ordersetl.storage.objects import ObjectStorage
from ordersetl.url import ObjectUrl

exceptions = pytest.importorskip("obstore.exceptions", reason="the extra s3 is not installed")


class FailingStore:
    """Fails whatever is asked of it."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*_: object, **__: object) -> None:
            raise self._error

        return fail


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> ObjectStorage:
    return make_failing(monkeypatch, exceptions.GenericError("busy"))


def make_failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> ObjectStorage:
    monkeypatch.setattr(objects, "open_store", lambda _bucket: FailingStore(error))
    return ObjectStorage(ObjectUrl(BUCKET, "output"), Disk())


@pytest.mark.parametrize(
    "look",
    [
        lambda storage: storage.entries("raw"),
        lambda storage: storage.measure("raw"),
        lambda storage: storage.move("raw", "kept"),
        lambda storage: storage.remove_all("raw"),
        lambda storage: storage.prune("raw"),
    ],
    ids=["entries", "measure", "move", "remove_all", "prune"],
)
def test_a_listing_that_fails_is_a_storage_error(
    storage: ObjectStorage, look: Callable[[ObjectStorage], object]
) -> None:
    with pytest.raises(StorageError, match=f"cannot list s3://{BUCKET}/output/raw: the store failed: busy"):
        look(storage)


def say(status: str, code: str = "", message: str = "") -> str:
    """An error's text as obstore has it."""
    url = f"https://s3.eu-central-1.amazonaws.com/{BUCKET}/{'a-long-prefix/' * 20}object"
    body = f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>' if code else ""
    failed = f"Error performing PUT {url} in 17.2ms, after 2 retries, max_retries: 10, retry_timeout: 180s "
    text = f"Generic S3 error: {failed} - Server returned non-2xx status code: {status}: {body}"
    return f"{text}\n\nDebug source:\nGeneric {{\n    body: <Code>Other</Code>\n}}"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (
            exceptions.GenericError,
            say("400 Bad Request", "ExpiredToken", "The provided token has expired."),
            "the store failed: ExpiredToken: The provided token has expired.",
        ),
        (
            FileNotFoundError,
            say("404 Not Found", "NoSuchBucket", "The specified bucket does not exist"),
            "the store failed: NoSuchBucket: The specified bucket does not exist",
        ),
        (
            exceptions.PermissionDeniedError,
            say("403 Forbidden", "InvalidAccessKeyId", "The key is not known."),
            "the store denies access: InvalidAccessKeyId: The key is not known.",
        ),
        (exceptions.GenericError, say("400 Bad Request"), "the store failed: 400 Bad Request"),
        (exceptions.GenericError, "Generic S3 error: no answer", "the store failed: Generic S3 error: no answer"),
    ],
)
def test_what_the_store_says_is_told(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception], text: str, expected: str
) -> None:
    storage = make_failing(monkeypatch, kind(text))
    with pytest.raises(StorageError) as caught:
        storage.put("file", b"")
    assert caught.value.message == f"cannot put s3://{BUCKET}/output/file: {expected}"
    assert "folder" not in caught.value.hint
    with pytest.raises(OSError, match=expected):
        storage.read("file", 1)
