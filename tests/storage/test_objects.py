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
    store = FailingStore(exceptions.GenericError("busy"))
    monkeypatch.setattr(objects, "open_store", lambda _bucket: store)
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
