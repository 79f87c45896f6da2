"""How far a command is: bars on a terminal, a line now and then in a log, nothing elsewhere."""

import io
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from console import ordersetl
from rich.console import Console

from ordersetl.cli.progress import Bars, LogLines, draw_bars
from ordersetl.source.sample import Fault, sample_app
from ordersetl.source.server import serve


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Screen:
    """What a terminal of 80 columns shows after each step."""

    console: Console = field(default_factory=lambda: Console(file=io.StringIO(), width=80, force_terminal=True))
    clock: Clock = field(default_factory=Clock)

    def show(self, play: Callable[[Bars], None]) -> list[str]:
        with draw_bars(self.console) as bars:
            bars._clock = self.clock  # noqa: SLF001 - a time that tests set
            play(bars)
            paper = Console(file=io.StringIO(), width=80)
            with paper.capture() as captured:
                paper.print(bars._bars.get_renderable())  # noqa: SLF001 - what is drawn
        return [line.rstrip() for line in captured.get().splitlines() if line.strip()]


@pytest.fixture
def screen() -> Screen:
    return Screen()


def test_pages_and_records_with_their_rate(screen: Screen) -> None:
    def play(bars: Bars) -> None:
        bars("extract", 1, None, 1000)
        screen.clock.now = 2
        bars("extract", 12, None, 12_000)

    (line,) = screen.show(play)
    assert "fetching" in line
    assert "12 pages, 12,000 records, 6,000/s" in line
    assert "left" not in line


def test_time_is_left_where_a_total_is_known(screen: Screen) -> None:
    def play(bars: Bars) -> None:
        bars("transform", 1, 400)
        screen.clock.now = 10
        bars("transform", 100, 400)

    (line,) = screen.show(play)
    assert "100 of 400 pages 30 s left" in line


def test_windows_are_side_by_side_and_go_when_they_are_done(screen: Screen) -> None:
    def play(bars: Bars) -> None:
        bars("windows", 1, 52)
        bars("pages", 7, None, 7000)
        bars("window 2025-08-01T00:00:00Z", 2, None, 2000)
        bars("window 2025-08-08T00:00:00Z", 4, None, 4000)
        bars("window 2025-08-15T00:00:00Z", 1, None, 900)
        bars("window 2025-08-15T00:00:00Z", 1, 1, 900)

    lines = screen.show(play)
    assert [line.split("━")[0].strip() for line in lines[2:]] == ["window 2025-08-01", "window 2025-08-08"]
    assert "1 of 52 windows" in lines[0]
    assert "4 pages, 4,000 records" in lines[3]
    assert max(map(len, lines)) <= 80


def test_a_wait_is_said_as_such_until_it_is_over(screen: Screen) -> None:
    def wait(bars: Bars) -> None:
        bars("extract", 1, None, 10)
        bars.on_wait(0.2)
        bars.on_wait(42)

    lines = screen.show(wait)
    assert "paused" in lines[1]
    assert "waits 42 s" in " ".join(lines)

    def go_on(bars: Bars) -> None:
        wait(bars)
        bars("extract", 2, None, 20)

    assert len(screen.show(go_on)) == 1


def test_a_log_gets_a_line_every_30_seconds_at_most(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    lines = LogLines(clock)
    with caplog.at_level(logging.INFO, "ordersetl"):
        for second in range(100):
            clock.now = second
            lines("extract", second + 1, None, 10 * (second + 1))
            lines("window 2025-08-01", second, None, 1)
        lines.on_wait(5)
        lines.on_wait(90)
    assert caplog.messages == [
        "fetching: 31 pages, 310 records, 10/s",
        "fetching: 61 pages, 610 records, 10/s",
        "fetching: 91 pages, 910 records, 10/s",
        "the next request waits 1 min 30 s, as the API or max_requests_per_second asks",
    ]


def test_a_log_of_a_short_run_has_no_line_of_it(tmp_path: Path) -> None:
    with serve(sample_app(faults=[Fault(on=[2], status=429, headers={"Retry-After": "0"})])) as url:
        ended = ordersetl("run", "--api-url", url, "--verbose", cwd=tmp_path)
    assert ended.code == 0
    assert "fetching" not in ended.err
