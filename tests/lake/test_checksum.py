import msgspec
import pytest
from hypothesis import given, strategies as st

from ordersetl.errors import CorruptedError
from ordersetl.lake.checksum import decode_record, encode_record


class Record(msgspec.Struct, frozen=True):
    name: str
    count: int = 0


class Other(msgspec.Struct, frozen=True):
    count: str


@given(st.text(), st.integers(-(2**63), 2**63 - 1))
def test_what_is_sealed_comes_back(name: str, count: int) -> None:
    record = Record(name, count)
    assert decode_record(encode_record(record), Record) == record
    assert isinstance(msgspec.json.decode(encode_record(record)), dict)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(at: int, change: int) -> None:
    data = bytearray(encode_record(Record("Ann", 3)))
    data[at % len(data)] ^= change
    with pytest.raises(CorruptedError):
        decode_record(bytes(data), Record)


@given(st.integers(0, 10_000))
def test_no_cut_goes_unnoticed(at: int) -> None:
    data = encode_record(Record("Ann", 3))
    with pytest.raises(CorruptedError):
        decode_record(data[: at % len(data)], Record)


@pytest.mark.parametrize("data", [b"", b"{}", b"null\n", encode_record(Record("a")) + b"\n", b'{"digest": "0"}'])
def test_what_was_never_encoded_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptedError):
        decode_record(data, Record)


def test_a_record_of_another_kind_is_refused() -> None:
    with pytest.raises(CorruptedError, match="unknown form"):
        decode_record(encode_record(Record("a", 1)), Other)
