"""Where an output in object storage is: ``s3://bucket/prefix``, with as much of a path's manners as messages need."""

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Location", "ObjectUrl", "parse_url"]

_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(?:/[^/\x00-\x1f]+)*)/?")


@dataclass(frozen=True)
class ObjectUrl:
    """A key, or a prefix of keys, in a bucket."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def __truediv__(self, name: object) -> "ObjectUrl":
        return ObjectUrl(self.bucket, f"{self.prefix}/{name}".strip("/"))

    @property
    def parent(self) -> "ObjectUrl":
        """The prefix that it is in."""
        return ObjectUrl(self.bucket, self.prefix.rpartition("/")[0])

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.prefix.rpartition("/")[2]

    def as_posix(self) -> str:
        """The URL."""
        return str(self)

    def absolute(self) -> "ObjectUrl":
        """Itself: a URL depends on no folder."""
        return self


Location = Path | ObjectUrl
"""Where an output, or something in it, is."""


def parse_url(text: str) -> ObjectUrl:
    """An object URL from text.

    Raises:
        ValueError: it is none.
    """
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError("must be s3://BUCKET/PREFIX, the bucket in lower case, no part of the prefix empty")
    return ObjectUrl(found["bucket"], found["prefix"].lstrip("/"))
