"""Which members of native records a mapping looks at: read by msgspec, so that the rest costs little and is not kept.

Of a repeated name the last counts, as for the lenient parser, and what is kept of a record names nothing twice.
"""

import json
from typing import Any, Literal

import msgspec

__all__ = ["Member", "NotInBulkError", "Step"]

Step = str | int
"""The name of a member, or the position of an element."""
_Kind = Literal["text", "object", "list"]


class NotInBulkError(Exception):
    """A mapping, or an expression of it, that the bulk path does not know: its records go one by one."""


class Member:
    """What is known of a value of native records: an object with members, a list of elements, or read as its text."""

    def __init__(self) -> None:
        self._kind: _Kind | None = None
        self._members: dict[str, Member] = {}
        self._element: Member | None = None

    @property
    def kind(self) -> _Kind:
        """``text`` unless something looks into it."""
        return self._kind or "text"

    def find(self, *steps: Step) -> "Member":
        """The value at the end of a path from this one, known from now on.

        Raises:
            NotInBulkError: something on the way is read as another kind.
        """
        member = self
        for step in steps:
            member = member.element() if isinstance(step, int) else member._find_member(step)
        return member

    def element(self) -> "Member":
        """Any element of the list that this value is.

        Raises:
            NotInBulkError: it is read as another kind.
        """
        self.require("list")
        self._element = self._element or Member()
        return self._element

    def require(self, kind: _Kind) -> None:
        """Have it read as this kind.

        Raises:
            NotInBulkError: it is read as another one.
        """
        if self._kind not in {None, kind}:
            raise NotInBulkError(f"a value is looked at as {self._kind} and as {kind}")
        self._kind = kind

    def is_read_as(self) -> Any:  # noqa: ANN401 - a type for msgspec
        """The type that msgspec reads it as: text as it is written, names in the order in which they became known."""
        if self.kind == "text":
            return msgspec.Raw
        if self._element is not None:
            return list[self._element.is_read_as()] | None  # type: ignore[misc]
        return self.make_struct() | None

    def make_struct(self) -> Any:  # noqa: ANN401 - a struct's type
        """The struct of an object's members; those that are absent are left out where it is written."""
        fields = [
            (f"member{at}", member.is_read_as(), msgspec.field(default=None, name=name))
            for at, (name, member) in enumerate(self._members.items())
        ]
        return msgspec.defstruct("_Object", fields, gc=False, omit_defaults=True)

    def shape(self) -> object:
        """As what DuckDB's ``from_json`` reads it."""
        if self.kind == "text":
            return "JSON"
        if self._element is not None:
            return [self._element.shape()]
        return {name: member.shape() for name, member in self._members.items()}

    def write_shape(self) -> str:
        """The shape as a literal of SQL."""
        return "'" + json.dumps(self.shape(), ensure_ascii=False).replace("'", "''") + "'"

    def list_texts(self) -> list[tuple[Step, ...]]:
        """Paths of all texts below it that are in no list."""
        if self.kind == "text":
            return [()]
        return [(name, *path) for name, member in self._members.items() for path in member.list_texts()]

    def _find_member(self, name: str) -> "Member":
        self.require("object")
        if name not in self._members and name.lower() in {known.lower() for known in self._members}:
            raise NotInBulkError(f"two names differ in case alone: {name}")  # DuckDB takes them for one
        return self._members.setdefault(name, Member())
