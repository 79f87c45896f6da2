"""One page of the API: its head, read without building its records, and its records, read exactly."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from ordersetl.errors import InvalidResponseError
from ordersetl.source.head import PageHead, read_head, require_at_most, split_texts, validate_envelope
from ordersetl.source.parser import NotJsonError, is_utf8, parse_page

if TYPE_CHECKING:
    from ordersetl.source.shape import PageShape

__all__ = ["NotJsonError", "Page", "page_text", "read_records", "split_records"]


@dataclass(frozen=True)
class Page:
    """The ``number``-th page of a batch, from 1, as received.

    ``charset`` is how its bytes are read where they are not UTF-8 or its kin; ``text`` is the page as these. More
    records than ``max_records`` are refused where the head is read. ``shape`` says how a page of a described source is
    read, None of the generic API; ``calls`` are the answers of its calls, as they are kept, and ``position`` is where
    its fetch goes on.

    Raises:
        InvalidResponseError: the bytes are not in this charset.
    """

    number: int
    body: bytes
    charset: str | None = None
    max_records: int | None = None
    shape: "PageShape | None" = field(default=None, repr=False)
    calls: bytes | None = field(default=None, repr=False)
    position: bytes | None = field(default=None, repr=False, compare=False)
    text: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", page_text(self.body, self.charset))

    def with_calls(self, calls: bytes | None, position: bytes) -> "Page":
        """The page with what calls answered for it, and where its fetch goes on; its head is not read again."""
        page = copy.copy(self)
        object.__setattr__(page, "calls", calls)
        object.__setattr__(page, "position", position)
        return page

    def unread(self) -> "Page":
        """The page without what was read of it, which takes as much memory as a page: many wait for their turn."""
        page = copy.copy(self)
        for name in ("head", "texts"):
            page.__dict__.pop(name, None)
        return page

    @cached_property
    def head(self) -> PageHead:
        """The head, read once.

        Raises:
            InvalidResponseError: as :func:`read_head`.
        """
        if self.shape is None:
            return read_head(self.text, most=self.max_records)
        head = self.shape.read_head(self.text)
        if self.max_records is not None:
            require_at_most(head.records, self.max_records)
        return head

    @cached_property
    def texts(self) -> Sequence[msgspec.Raw] | None:
        """The records as the JSON they came in, views of the page; None where only the lenient parser helps.

        Raises:
            InvalidResponseError: as :func:`read_head`.
        """
        return split_texts(self.text) if self.shape is None else self.shape.split_texts(self.text)


def page_text(body: bytes, charset: str | None) -> bytes:
    """A page as UTF-8: from the charset that its answer named, as it is where it named none or needed none.

    Raises:
        InvalidResponseError: it cannot be read so.
    """
    if charset is None:
        return body
    try:
        return body.decode(charset).encode("utf-8", "surrogatepass")
    except (LookupError, ValueError) as error:
        raise InvalidResponseError(
            f"the page is not valid {charset}: {error}", hint="Look at what the API sends."
        ) from None


def read_records(page: Page) -> list[Any]:
    """All records of a page, numbers as exact decimals; what is nested past MAX_DEPTH as :class:`DeepRecord`.

    Those of a described source are native, with the answers of their calls.

    Raises:
        InvalidResponseError: as :func:`read_head`.
    """
    return validate_envelope(parse_page(page.text))[0] if page.shape is None else page.shape.parse(page)


def split_records(page: Page) -> Sequence[bytes | msgspec.Raw] | None:
    """JSON of each record as it came, valid UTF-8; None where only the lenient parser helps.

    Those of a described source are native, with the answers of their calls.

    Raises:
        InvalidResponseError: as :func:`read_head`.
    """
    if page.shape is not None:
        return page.shape.split(page)
    return page.texts if is_utf8(page.text) else None
