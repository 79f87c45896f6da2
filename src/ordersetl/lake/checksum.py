"""JSON records that know when they were damaged: the body's SHA-256 is their last member, ``digest``."""

import hashlib
from typing import TypeVar

import msgspec

from ordersetl.errors import CorruptedError

__all__ = ["decode_record", "encode_record"]

_Record = TypeVar("_Record", bound=msgspec.Struct)
_MARK = b',\n "digest": "'


def encode_record(record: msgspec.Struct) -> bytes:
    """Indented JSON of the record with its digest as the last member; equal records give equal bytes."""
    body = msgspec.json.format(msgspec.json.encode(record), indent=1).removesuffix(b"\n}")
    return body + _MARK + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'


def decode_record(data: bytes, kind: type[_Record]) -> _Record:
    """Return the record that :func:`encode_record` wrote.

    Raises:
        CorruptedError: the bytes are not what was written, or hold no such record.
    """
    body, mark, digest = data.rpartition(_MARK)
    if not mark or digest != hashlib.sha256(body).hexdigest().encode() + b'"\n}\n':
        raise CorruptedError("its digest does not match its content")
    try:
        return msgspec.json.decode(body + b"\n}", type=kind)
    except (ValueError, OverflowError, RecursionError) as error:  # a digest is no proof of who wrote it
        raise CorruptedError(f"it has an unknown form: {error}") from error
