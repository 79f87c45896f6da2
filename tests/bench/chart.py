"""Draw the measured costs as an SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from report import Report, show_megabytes, show_seconds, titles

_TIME_GROUPS = (
    ("Full run", ("run base", "pandas")),
    ("From raw to files", ("transform + load", "floor")),
    ("A tenth", ("run tenth", "dlt duckdb", "dlt filesystem")),
    ("What changed", ("changed base", "changed long", "changed dense", "nothing new", "imports")),
    ("Start", ("help", "import typer")),
)
_PEAK_GROUPS = (
    ("Full run", ("run base", "run long", "run dense", "pandas")),
    ("From raw to files", ("transform + load", "floor")),
)
_STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de } text { fill: #1f2328; font: 12px system-ui, sans-serif }
  .title { font-size: 14px; font-weight: 600 } .quiet { fill: #59636e } .grid { stroke: #d0d7de }
  .ours { fill: #0a7d5a } .other { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d } text { fill: #f0f6fc } .quiet { fill: #9198a1 } .grid { stroke: #3d444d }
    .ours { fill: #3fb68b } .other { fill: #6e7781 }
  }
"""
_WIDTH, _LEFT, _RIGHT, _ROW = 860, 330, 90, 22


@dataclass(frozen=True, slots=True)
class _Bar:
    label: str
    value: float
    shown: str
    ours: bool


def render_chart(report: Report) -> str:
    """An SVG with a bar a command: seconds above, peak memory below, both on a logarithmic scale."""
    names = titles(report.orders)

    def bars(groups: Sequence[tuple[str, Sequence[str]]], *, peaks: bool) -> list[_Bar | str]:
        found: list[_Bar | str] = []
        for heading, commands in groups:
            measured = [(command, report.medians[command]) for command in commands if command in report.medians]
            found += [heading] if measured else []
            for command, cost in measured:
                value, shown = (
                    (cost.peak_bytes / 1e6, show_megabytes(cost.peak_bytes))
                    if peaks
                    else (cost.wall_s, show_seconds(cost.wall_s))
                )
                found.append(_Bar(names[command], value, shown, ours=names[command].startswith("ordersetl")))
        return found

    top, time_panel = _render_panel("Time, seconds (logarithmic scale)", bars(_TIME_GROUPS, peaks=False), 16)
    bottom, peak_panel = _render_panel("Peak memory, MB (logarithmic scale)", bars(_PEAK_GROUPS, peaks=True), top + 24)
    height = bottom + 12
    size = f'width="{_WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {size} role="img">',
        "<title>Times and peak memory of ordersetl and of other ways</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="6"/>',
    ]
    return "\n".join([*parts, *time_panel, *peak_panel, "</svg>\n"])


def _render_panel(title: str, bars: Sequence[_Bar | str], top: int) -> tuple[int, list[str]]:
    values = [bar.value for bar in bars if isinstance(bar, _Bar)]
    if not values:
        return top, []
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    scale = (_WIDTH - _LEFT - _RIGHT) / (high - low)
    first = top + 34
    bottom = first + _ROW * len(bars)
    parts = [f'<text class="title" x="16" y="{top + 12}">{escape(title)}</text>']
    for power in range(low, high + 1):
        x = _LEFT + (power - low) * scale
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{first}" y2="{bottom}"/>')
        parts.append(f'<text class="quiet" x="{x:.1f}" y="{first - 6}" text-anchor="middle">{10.0**power:,g}</text>')
    for number, bar in enumerate(bars):
        y = first + number * _ROW
        if isinstance(bar, str):
            parts.append(f'<text class="quiet" x="16" y="{y + 15}">{escape(bar)}</text>')
            continue
        width = max((math.log10(bar.value) - low) * scale, 1)
        kind = "ours" if bar.ours else "other"
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(bar.label)}</text>')
        parts.append(f'<rect class="{kind}" x="{_LEFT}" y="{y + 4}" width="{width:.1f}" height="14" rx="2"/>')
        parts.append(f'<text x="{_LEFT + width + 6:.1f}" y="{y + 15}">{escape(bar.shown)}</text>')
    return bottom, parts
