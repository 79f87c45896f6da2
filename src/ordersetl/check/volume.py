"""Did orders stay away? Each of the last days compared with the same weekday of the weeks before."""

from datetime import date, timedelta
from statistics import median

from ordersetl.lake.journal import read_journal
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import Manifest
from ordersetl.results import CheckOutcome
from ordersetl.text import many
from ordersetl.zones import read_zone

__all__ = ["check_volume", "find_falls", "find_today"]

_NAME = "orders_of_a_day"
_WHY = "Far fewer orders than on the same weekday before: a feed that broke looks like a quiet day."
_DAYS = 7
"""Days before the current one that are looked at: what is missing is filled in late, if at all."""
_WEEKS = 8
_MIN_WEEKS = 4
_SHARE = 0.5
_DEVIATIONS = 3.0


def check_volume(lake: Lake, manifest: Manifest, *, max_samples: int) -> CheckOutcome:
    """Warn of days whose orders fell; a rise is no loss. It costs no query: the manifest counts the orders of a day."""
    today = find_today(lake, manifest)
    orders = {day: entry.orders for day, entry in manifest.partitions.items()}
    falls = find_falls(orders, today) if today else []
    samples = tuple(
        {"dt": day.isoformat(), "orders": str(count), "usual": f"{usual:g}"}
        for day, count, usual in falls[:max_samples]
    )
    detail = ""
    if falls:
        day, count, usual = falls[-1]
        detail = f"{many(count, 'order')} on {day.isoformat()}, and {usual:g} are usual on that weekday"
    return CheckOutcome(
        _NAME, ok=True, why=_WHY, offending=len(falls), samples=samples, detail=detail, warning=bool(falls)
    )


def find_today(lake: Lake, manifest: Manifest) -> date | None:
    """The shop's day up to which curated has what the source said, by what commands noted; None where nobody did."""
    loaded = read_journal(lake).loaded
    return None if loaded is None else loaded.astimezone(read_zone(manifest.settings.timezone)).date()


def find_falls(orders: dict[date, int], today: date) -> list[tuple[date, int, float]]:
    """Day, its orders and what is usual, of each of the seven days before ``today`` that fell, oldest first.

    Usual is the median ``m`` of the same weekday in the eight weeks before, as far as there were orders by then, four
    weeks at least. A day fell if it has less than half of that, and less than ``m - 3 sqrt(m)``: orders that come
    independently of each other (a Poisson process, whose variance is its mean) rarely do by chance.
    """
    first = min(orders, default=today)
    falls = []
    for back in range(_DAYS, 0, -1):
        day = today - timedelta(back)
        weeks = [day - timedelta(weeks=week) for week in range(1, _WEEKS + 1)]
        history = [orders.get(past, 0) for past in weeks if past >= first]
        if len(history) < _MIN_WEEKS:
            continue
        usual, count = float(median(history)), orders.get(day, 0)
        if count < usual * _SHARE and count < usual - _DEVIATIONS * usual**0.5:
            falls.append((day, count, usual))
    return falls
