"""Turn measured costs into the section of docs/benchmarks.md."""

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from measure import Cost

BEGIN = "<!-- measured: begin -->"
END = "<!-- measured: end -->"
FULL_SIZE = 1_000_000

_PACKAGES = ("ordersetl", "polars", "duckdb", "pydantic", "httpx", "pandas", "numpy", "dlt")
_ASK_VERSIONS = """
import importlib.metadata as m, platform, sys
print("Python " + platform.python_version())
for name in sys.argv[1:]:
    try: print(name + " " + m.version(name))
    except m.PackageNotFoundError: pass
"""


@dataclass(frozen=True, slots=True)
class Versions:
    """Of each environment: Python's version and those of the packages that matter."""

    lines: tuple[str, ...]

    @classmethod
    def ask(cls, ordersetl: Path | None, pandas: Path | None, dlt: Path | None, floor: Path | None) -> Self:
        names = {"ordersetl": ordersetl, "pandas script": pandas, "dlt": dlt, "DuckDB floor": floor}
        return cls(tuple(f"{name}: {_versions_of(python)}" for name, python in names.items() if python))


def _versions_of(python: Path) -> str:
    answer = subprocess.run([python, "-c", _ASK_VERSIONS, *_PACKAGES], check=True, capture_output=True, text=True)
    return ", ".join(answer.stdout.splitlines())


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured: medians by the name of the command, and what it was measured on."""

    orders: int
    runs: int
    medians: Mapping[str, Cost]
    rows: Mapping[str, int]
    versions: Versions
    load_before: float


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio of two commands and its bound."""

    what: str
    upper: str
    lower: str
    bound: float
    at_least: bool = False
    of_peaks: bool = False

    def ratio(self, medians: Mapping[str, Cost]) -> float | None:
        """The upper command's figure over the lower one's; None where one was not measured."""
        if self.upper not in medians or self.lower not in medians:
            return None
        return self._figure(medians[self.upper]) / self._figure(medians[self.lower])

    def _figure(self, cost: Cost) -> float:
        return cost.peak_bytes if self.of_peaks else cost.wall_s

    def render_row(self, medians: Mapping[str, Cost]) -> str:
        ratio = self.ratio(medians)
        target = f"at least {self.bound:g} times faster" if self.at_least else f"at most {self.bound:g} times"
        if ratio is None:
            return f"| {self.what} | {target} | | | not measured |"
        show = show_megabytes if self.of_peaks else show_seconds
        pair = [show(self._figure(medians[name])) for name in (self.upper, self.lower)]
        shown, other = reversed(pair) if self.at_least else pair
        met = ratio >= self.bound if self.at_least else ratio <= self.bound
        verdict = "met" if met else "**missed**"
        return f"| {self.what} | {target} | {_ratio(ratio)} | {shown} against {other} | {verdict} |"


def targets(orders: int) -> list[Target]:
    """What the project promises, for a number of orders."""
    size, history, tenth, changed = f"{orders:,}", f"{orders * 3:,}", f"{orders // 10:,}", f"{orders // 1_000:,}"
    long = f"{history} (three times the days)"
    dense = f"{history} (the same days, three times as full)"
    return [
        Target(f"{size} orders, full run against the pandas script", "pandas", "run base", 10, at_least=True),
        Target("the same, peak memory", "run base", "pandas", 0.25, of_peaks=True),
        Target(f"{tenth} orders against dlt (DuckDB, merge)", "dlt duckdb", "run tenth", 30, at_least=True),
        Target(f"transform + load of {size} orders against the DuckDB floor", "transform + load", "floor", 2),
        Target(
            f"{changed} orders of the last 3 days change in {size}, against a full run", "changed base", "run base", 0.1
        ),
        Target(f"the same in {long}, against in {size}", "changed long", "changed base", 1.3),
        Target(f"the same in {dense}, against in {size}", "changed dense", "changed base", 1.3),
        Target(f"nothing new on {size} orders, against importing the libraries", "nothing new", "imports", 2.5),
        Target("`ordersetl --help` against `import typer`", "help", "import typer", 1.5),
        Target(f"peak memory, {long} against {size}", "run long", "run base", 1.3, of_peaks=True),
        Target(f"peak memory, {dense} against {size}", "run dense", "run base", 1.3, of_peaks=True),
    ]


def titles(orders: int) -> dict[str, str]:
    """How each measured command is called, in the order of the tables."""
    size, history, tenth = f"{orders:,}", f"{orders * 3:,}", f"{orders // 10:,}"
    return {
        "run base": f"ordersetl run, {size} orders",
        "pandas": f"pandas script, {size} orders",
        "transform + load": f"ordersetl transform + load, {size} orders",
        "floor": f"DuckDB floor, {size} orders",
        "run tenth": f"ordersetl run, {tenth} orders",
        "dlt duckdb": f"dlt to DuckDB (merge), {tenth} orders",
        "dlt filesystem": f"dlt to files (append), {tenth} orders",
        "run long": f"ordersetl run, {history} orders of 270 days",
        "run dense": f"ordersetl run, {history} orders of 90 days",
        "changed base": f"ordersetl run, changes into {size}",
        "changed long": f"ordersetl run, changes into {history} (270 days)",
        "changed dense": f"ordersetl run, changes into {history} (90 days)",
        "nothing new": f"ordersetl run, nothing new on {size}",
        "imports": "python, its libraries imported",
        "help": "ordersetl --help",
        "import typer": "python, typer imported",
    }


def render_section(report: Report) -> str:
    """The Markdown between the two markers."""
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with {report.orders:,} orders; medians of {report.runs} rounds.",
    ]
    if report.orders < FULL_SIZE:
        lines += [
            "",
            f"**A quick version**: the targets are meant for {FULL_SIZE:,} orders; fixed costs weigh more here.",
        ]
    lines += ["", "| | target | ratio | figures | |", "|---|---|---|---|---|"]
    lines += [target.render_row(report.medians) for target in targets(report.orders)]
    lines += ["", "| command | wall | CPU | peak memory | rows written |", "|---|---:|---:|---:|---:|"]
    for name, title in titles(report.orders).items():
        if name in report.medians:
            cost = report.medians[name]
            rows = f"{report.rows[name]:,}" if report.rows.get(name) else ""
            figures = f"{show_seconds(cost.wall_s)} | {show_seconds(cost.cpu_s)} | {show_megabytes(cost.peak_bytes)}"
            lines.append(f"| {title} | {figures} | {rows} |")
    lines += [
        "",
        f"Machine: {_machine()}; load average before the start: {report.load_before:.2f}.",
        "",
        "Versions:",
        "",
    ]
    lines += [f"- {line}" for line in report.versions.lines]
    return "\n".join(lines)


def insert_section(path: Path, section: str) -> None:
    """Replace what stands between the markers of a document."""
    text = path.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} lacks the markers {BEGIN} and {END}")
    path.write_text(f"{head}{BEGIN}\n\n{section}\n\n{END}{tail}", encoding="utf-8")


def _machine() -> str:
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{_processor()}, {os.cpu_count()} cores, {memory_bytes / 2**30:.0f} GiB, {platform.system()}"


def _processor() -> str:
    """The processor's name where the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def show_seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def show_megabytes(value: float) -> str:
    return f"{value / 1e6:,.0f} MB"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"
