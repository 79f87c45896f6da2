"""Versions of objects, by which writers are kept apart where nothing can be renamed."""

from typing import Literal

import msgspec

__all__ = ["ChangedError", "ObjectOperation", "Versioned"]

ObjectOperation = Literal["put", "put_new", "replace", "remove_if"]
"""Steps that only object storage has."""


class ChangedError(Exception):
    """What is there is not what a conditional write expected; it may be this very write's own content."""


class Versioned(msgspec.Struct, frozen=True):
    """Content, and its version at the store."""

    data: bytes
    version: str
