"""Versions of objects, by which writers are kept apart where nothing can be renamed."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["ChangedError", "ObjectOperation", "Versioned"]

ObjectOperation = Literal["put", "put_new", "replace", "remove_if"]
"""Steps that only object storage has."""


class ChangedError(Exception):
    """What is there is not what a conditional write expected; it may be this very write's own content."""


@dataclass(frozen=True)
class Versioned:
    """Content, and its version at the store."""

    data: bytes
    version: str
