"""Where an output in object storage is: ``s3://bucket/prefix``, with as much of a path's manners as messages need."""

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Location", "ObjectUrl", "parse_location", "parse_url"]

_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(?:/[^/\x00-\x1f]+)*)/?")

_SCHEME = re.compile(r"(?:file|s3):|[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
"""How a URL begins; a folder of such a name is ``./file:x``."""


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


def parse_location(text: str) -> Location:
    """A path, or an object URL, from text.

    Raises:
        ValueError: it is a URL that names no place in S3.
    """
    if text.startswith("s3:"):
        return parse_url(text)
    scheme = _SCHEME.match(text)
    if scheme is None:
        return Path(text)
    name = scheme[0].partition(":")[0]
    if name.lower() == "file":
        raise ValueError("must be a path without file:, such as /srv/shop")
    if name.lower() == "s3":
        raise ValueError("must begin with s3:// in lower case")
    raise ValueError(f"must be a path, or s3://BUCKET/PREFIX; {name}: is no place where an output can be")


def parse_url(text: str) -> ObjectUrl:
    """An object URL from text.

    Raises:
        ValueError: it is none.
    """
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError("must be s3://BUCKET/PREFIX, the bucket in lower case, no part of the prefix empty")
    return ObjectUrl(found["bucket"], found["prefix"].lstrip("/"))
