"""Make the benchmark's data: an orders API's pages, the same orders as one file, reference data, and a later change.

    python tests/bench/generate.py --orders 1000000 --seed 1 --out DIR

::

    DIR/meta.json                    orders, records, pages, last_updated_at, ...
    DIR/pages/page-00001.json ...    {"orders": [1,000 records], "next_cursor": "2"}, in order of updated_at
    DIR/orders.json                  the same records as one JSON array
    DIR/users.csv  DIR/products.csv
    DIR/delta/                       changed orders of the last three days: meta.json and pages/

The work is spread over all cores by ranges of pages.
"""

import argparse
import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shop import PRODUCTS, Shop, is_update, iso, later_version, product_rows, render_record, user_rows

PAGE_RECORDS = 1_000
PAGES_PER_JOB = 10
DELTA_DAYS = 3


def _page_head() -> bytes:
    return b'{"orders": ['


def _page_tail(page: int, pages: int) -> bytes:
    return b'], "next_cursor": ' + (b"null" if page == pages else b'"%d"' % (page + 1)) + b"}"


def _page_path(out: Path, page: int) -> Path:
    return out / "pages" / f"page-{page:05d}.json"


def _write_page(out: Path, page: int, pages: int, records: Sequence[str]) -> None:
    body = ",\n".join(records).encode("ascii")
    _page_path(out, page).write_bytes(_page_head() + body + _page_tail(page, pages))


def _write_page_range(job: tuple[Shop, Path, range]) -> None:
    shop, out, numbers = job
    pages = page_count(shop)
    for page in numbers:
        first = (page - 1) * PAGE_RECORDS
        places = range(first, min(first + PAGE_RECORDS, shop.records))
        _write_page(out, page, pages, [render_record(shop, place) for place in places])


def page_count(shop: Shop) -> int:
    """Pages that the records of a shop fill."""
    return -(-shop.records // PAGE_RECORDS)


def _write_pages(shop: Shop, out: Path) -> None:
    (out / "pages").mkdir(parents=True)
    end = page_count(shop) + 1
    jobs = [(shop, out, range(first, min(first + PAGES_PER_JOB, end))) for first in range(1, end, PAGES_PER_JOB)]
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for _ in pool.imap_unordered(_write_page_range, jobs):
            pass


def _write_orders_file(shop: Shop, out: Path) -> None:
    pages = page_count(shop)
    with (out / "orders.json").open("wb") as target:
        target.write(b"[")
        for page in range(1, pages + 1):
            content = _page_path(out, page).read_bytes()
            target.write(b",\n" if page > 1 else b"")
            target.write(content[len(_page_head()) : -len(_page_tail(page, pages))])
        target.write(b"]")


def _write_rows(path: Path, rows: Iterator[str]) -> None:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_delta(shop: Shop, out: Path, *, changed: int, changed_at: datetime) -> int:
    """Write newer versions of up to ``changed`` orders of the last three days; returns how many there are.

    ``changed_at`` has to lie after the extraction of the bulk: a later run asks for what changed since then.
    """
    first = shop.records * (shop.days - DELTA_DAYS) // shop.days
    places = [place for place in range(first, shop.records) if not is_update(place)]
    count = min(changed, len(places))
    changed_s = int(changed_at.timestamp())
    records = [
        later_version(shop, places[number * len(places) // count], changed_s + number, choice=number).render()
        for number in range(count)
    ]
    (out / "pages").mkdir(parents=True)
    pages = -(-len(records) // PAGE_RECORDS)
    for page in range(1, pages + 1):
        _write_page(out, page, pages, records[(page - 1) * PAGE_RECORDS : page * PAGE_RECORDS])
    _write_meta(out, orders=len(records), records=len(records), pages=pages)
    return len(records)


def _write_meta(out: Path, **facts: object) -> None:
    (out / "meta.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def write_shop(shop: Shop, out: Path, *, with_orders_file: bool) -> None:
    """Write the pages, the reference data and (unless refused) the one big file."""
    _write_pages(shop, out)
    if with_orders_file:
        _write_orders_file(shop, out)
    _write_rows(out / "users.csv", user_rows(shop))
    _write_rows(out / "products.csv", product_rows())
    _write_meta(
        out, **asdict(shop), records=shop.records, pages=page_count(shop), users=shop.users, products=PRODUCTS,
        last_updated_at=iso(shop.moment_s(shop.records - 1)),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, required=True, help="distinct orders; 3 %% come a second time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=90, help="the time over which the orders are spread")
    parser.add_argument("--out", type=Path, required=True, help="a folder that does not exist yet")
    parser.add_argument("--changed", type=int, default=1_000, help="orders of the last three days that change later")
    parser.add_argument("--no-orders-file", action="store_true", help="leave out orders.json")
    args = parser.parse_args()
    shop = Shop(orders=args.orders, seed=args.seed, days=args.days)
    write_shop(shop, args.out, with_orders_file=not args.no_orders_file)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    write_delta(shop, args.out / "delta", changed=args.changed, changed_at=tomorrow)


if __name__ == "__main__":
    main()
