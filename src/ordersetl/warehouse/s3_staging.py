"""Where Redshift's COPY takes files from: a prefix of S3 in which each load has a folder of its own."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError

from ordersetl.errors import WarehouseError
from ordersetl.lake.layout import Lake
from ordersetl.storage.store import open_store
from ordersetl.text import one_line
from ordersetl.url import parse_url

__all__ = ["S3Staging"]


@dataclass
class S3Staging:
    """The objects of one load. Names are never used again, so that no reader sees another load's content.

    ``url`` is ``s3://bucket/prefix``. Keys and, where it is not set, the region come from the variables of AWS
    (``AWS_ACCESS_KEY_ID``, ``AWS_REGION``, ...), or from the machine's own role.
    """

    url: str
    region: str | None = None
    _keys: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._folder = parse_url(self.url) / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex}"
        self._store = open_store(self._folder.bucket, self.region)

    def put_files(self, lake: Lake, name: str, keys: Sequence[str]) -> str:
        """Bring files of an output there as they are; the URL of a COPY manifest of them.

        Raises:
            WarehouseError: S3 refused.
        """
        entries = []
        for key in keys:
            with lake.storage.open(key) as content:
                entries.append({"url": self._put(key, content), "mandatory": True})
        return self._put(f"{name}.manifest", json.dumps({"entries": entries}, indent=1).encode())

    def remove(self) -> None:
        """Remove what was put there.

        Raises:
            WarehouseError: S3 refused.
        """
        keys, self._keys = self._keys, []
        with _translate(self.url):
            if keys:
                obstore.delete(self._store, keys)

    def _put(self, name: str, content: bytes | IO[bytes]) -> str:
        target = self._folder / name
        self._keys.append(target.prefix)
        with _translate(self.url):
            obstore.put(self._store, target.prefix, content)
        return str(target)


@contextmanager
def _translate(url: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, FileNotFoundError) as error:  # the latter where there is no such bucket
        raise WarehouseError(
            f"{url} refused: {one_line(str(error))[:500]}",
            hint="Its user must be allowed to put and delete objects there; keys are read from AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or from the machine's role.",
        ) from error
