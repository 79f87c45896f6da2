"""Days, ages and commands in words."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ordersetl.report.html.words import describe_age, format_day, format_moment, split_commands

NOW = datetime(2025, 9, 1, 12, tzinfo=UTC)


def test_days_and_times() -> None:
    assert format_day(date(2025, 9, 3)) == "3 Sep 2025"
    assert format_moment(datetime(2025, 9, 3, 4, 5, 59, tzinfo=UTC)) == "3 Sep 2025, 04:05 UTC"


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(hours=-3), "less than an hour old"),
        (timedelta(minutes=59), "less than an hour old"),
        (timedelta(hours=1), "1 hour old"),
        (timedelta(hours=47, minutes=59), "47 hours old"),
        (timedelta(days=2), "2 days old"),
        (timedelta(days=1234), "1,234 days old"),
    ],
)
def test_ages(age: timedelta, words: str) -> None:
    assert describe_age(NOW - age, NOW) == words
    assert describe_age(None, NOW) == ""


COMMANDS = {
    "Fold it: ordersetl load. Or run it: ordersetl run.": ["ordersetl load", "ordersetl run"],
    "there is none; `ordersetl load --rebuild` makes it again": ["ordersetl load --rebuild"],
    "Fill it: ordersetl run --since 2025-08-01T00:00:00Z --until 2025-08-02T10:00:00.5Z": [
        "ordersetl run --since 2025-08-01T00:00:00Z --until 2025-08-02T10:00:00.5Z"
    ],
    "ordersetl": [],
    "": [],
}


@pytest.mark.parametrize(("text", "commands"), COMMANDS.items())
def test_commands_stand_apart_and_get_the_options_in_use(text: str, commands: list[str]) -> None:
    pieces = list(split_commands(text, lambda command: f"{command} -o there"))
    assert [piece for is_command, piece in pieces if is_command] == [f"{command} -o there" for command in commands]
    rest = "".join(piece for is_command, piece in pieces if not is_command)
    assert "ordersetl " not in rest
    assert all(word in rest for word in ("Fold it:", "Or run it:") if word in text)
