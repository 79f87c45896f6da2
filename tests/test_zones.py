"""Time zones come from the package that the project depends on, not from the machine."""

import zoneinfo
from datetime import UTC, datetime

import pytest

from ordersetl.zones import hash_zone, list_zones, read_zone


def test_every_listed_zone_can_be_read() -> None:
    assert {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+12"} <= list_zones()
    assert "Factory" not in list_zones()
    for name in list_zones():
        assert datetime(2025, 7, 1, tzinfo=UTC).astimezone(read_zone(name)).utcoffset() is not None


def test_the_systems_zone_data_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    time = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)
    before = time.astimezone(read_zone("America/Vancouver")).utcoffset()
    read_zone.cache_clear()
    monkeypatch.setattr(zoneinfo, "TZPATH", (str(tmp_path),))
    assert time.astimezone(read_zone("America/Vancouver")).utcoffset() == before


def test_versions_of_a_zones_data_are_told_apart() -> None:
    assert hash_zone("Europe/Berlin") != hash_zone("Europe/Dublin")
    assert len(hash_zone("UTC")) == 16


@pytest.mark.parametrize("name", ["Mars/Base", "", "../zones", "Europe", "europe/berlin", "Factory"])
def test_other_names_are_no_zones(name: str) -> None:
    with pytest.raises(ValueError, match="there is no time zone"):
        read_zone(name)
