"""Make the README's picture: the first screen of the sample shop's page, as it was on the day after its last order.

PYTHONPATH=tests python tests/page/screenshot.py docs/report.png
"""

import argparse
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from browser import open_page, start_chromium

from ordersetl import pipeline
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings

BEGIN = datetime(2025, 9, 1, 14, tzinfo=UTC)
WIDTH, HEIGHT = 1240, 998


def write_sample(home: Path) -> Path:
    """The page of the sample shop, by a clock of its own."""
    file = home / "report.html"
    seconds = count()
    runtime = Runtime(now=lambda: BEGIN + timedelta(seconds=next(seconds)))
    pipeline.run(Settings(source="sample", output=home / "output", report_html=file), runtime=runtime)
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    picture = parser.parse_args().picture
    with (
        tempfile.TemporaryDirectory() as home,
        start_chromium() as browser,
        open_page(browser, write_sample(Path(home)), viewport={"width": WIDTH, "height": HEIGHT}) as opened,
    ):
        opened.page.screenshot(path=picture)


if __name__ == "__main__":
    main()
