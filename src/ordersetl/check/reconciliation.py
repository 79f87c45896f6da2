"""The deep check: raw pages validated again by SQL of its own, and compared with curated and quarantine."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import duckdb

from ordersetl.check.raw_pages import RawPage, Unreadable, read_pages
from ordersetl.check.tables import fetch_samples, read_sql, read_why, select_rows
from ordersetl.check.unparseable_pages import split_page
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import Manifest
from ordersetl.results import CheckOutcome

__all__ = ["CURATED_ROWS", "compare_raw"]

CURATED_ROWS = {
    "curated_row": """SELECT order_id, sku, qty, line_amount, net_amount, discount_amount, tax_amount, shipping_amount,
        refunded_amount, item_price, created_at_order, user_id, status, source, promo FROM fact_order""",
    "curated_refund": "SELECT order_id, refund_id, sku, qty, refund_amount, refunded_at FROM fact_refund",
}
"""Tables to compare with raw by name, and what a group of partitions adds to each."""

_CHUNK_BYTES = 16 * 1024 * 1024
_LONG_NUMBER = r"[:,\[]\s*-?([0-9.]{16}|[0-9.]+[eE]-[0-9]{3})"
_HALF_WRITTEN = r"\x{FFFF}|\\[uU][fF]{4}"
"""What stands for half a surrogate pair in pages that were taken apart, so that it may be in no other."""
_PAGE_TYPES = {
    "batch": "VARCHAR",
    "page": "INTEGER",
    "since": "TIMESTAMP",
    "until": "TIMESTAMP",
    "began_at": "TIMESTAMP",
    "content": "VARCHAR",
}
_READABLE_WHY = (
    "Raw is the only source of truth: from a page, a reference file or a description of the source that is missing, or "
    "is not what was received, nothing can be derived."
)


def compare_raw(
    database: duckdb.DuckDBPyConnection, lake: Lake, manifest: Manifest, *, max_samples: int
) -> list[CheckOutcome]:
    """Validate the raw pages of the applied batches in SQL; compare with curated and ``quarantined``.

    Curated are ``order_partition`` and CURATED_ROWS; ``shop_span`` says which times are in a partition's day. Records
    that SQL cannot validate with certainty (see the detail of ``raw_orders``) are left out on both sides.
    """
    _create_tables(database, manifest.settings.cancelled_statuses)
    damaged: list[Unreadable] = []
    for pages in _chunk_pages(read_pages(lake, manifest, damaged)):
        _validate_pages(database, pages)
    for step in ("current_orders", "share_rows"):
        database.execute(_sql(step))
    unparseable, unnamed = _fetch_row(
        database, "SELECT count(*), count(*) - count(order_id) FROM validated_order WHERE is_unparseable"
    )
    return [
        _report_unreadable(damaged, max_samples),
        _compare(database, "raw_orders", _describe(database, unparseable), unnamed, max_samples),
        _compare(database, "raw_rows", "", 0, max_samples),
        _compare(database, "raw_refunds", "", 0, max_samples),
        _compare(database, "raw_rejects", "", 0, max_samples),
    ]


def _report_unreadable(damaged: Sequence[Unreadable], max_samples: int) -> CheckOutcome:
    hint = next(filter(None, (unreadable.hint for unreadable in damaged)), "")
    samples = tuple(unreadable.row for unreadable in damaged[:max_samples])
    return CheckOutcome("raw_readable", not damaged, _READABLE_WHY, len(damaged), samples, hint)


def _create_tables(database: duckdb.DuckDBPyConnection, cancelled_statuses: Sequence[str]) -> None:
    database.execute(_sql("macros"))
    database.execute(_sql("tables"))
    query, parameters = select_rows({"status": "VARCHAR"}, [(status,) for status in cancelled_statuses])
    database.execute(f"CREATE TEMP TABLE cancelled_status AS {query}", parameters)


def _chunk_pages(pages: Iterator[RawPage]) -> Iterator[list[RawPage]]:
    chunk: list[RawPage] = []
    for page in pages:
        chunk.append(page)
        if sum(len(waiting.body) for waiting in chunk) >= _CHUNK_BYTES:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _validate_pages(database: duckdb.DuckDBPyConnection, pages: list[RawPage]) -> None:
    """Add the pages' records to ``validated_order``, and of the accepted ones what ``tables.sql`` says."""
    database.execute(
        """CREATE OR REPLACE TEMP TABLE raw_record (batch VARCHAR, page INTEGER, idx BIGINT, since TIMESTAMP,
        until TIMESTAMP, began_at TIMESTAMP, record JSON, is_unparseable BOOLEAN, given_id VARCHAR,
        is_mapped BOOLEAN)"""
    )
    native = [page for page in pages if page.mapped is None]
    query, parameters = select_rows(_PAGE_TYPES, [page[: len(_PAGE_TYPES)] for page in native])
    # A long number loses digits once the page is taken apart, so the page as a whole is looked at for one.
    database.execute(
        f"""CREATE OR REPLACE TEMP TABLE raw_page AS
        SELECT *, CASE WHEN json_valid(content) THEN NOT has_repeated_key(CAST(content AS JSON)) ELSE false END
            AND NOT regexp_matches(content, '{_LONG_NUMBER}|{_HALF_WRITTEN}') AS is_exact
        FROM ({query})""",
        parameters,
    )
    database.execute(_sql("split_pages"))
    exact = set(database.execute("SELECT batch, page FROM raw_page WHERE is_exact").fetchall())
    for page in pages:
        if page.mapped is not None:
            _insert_records(database, page, page.mapped)
        elif (page.batch, page.page) not in exact:
            _insert_records(database, page, split_page(page.body, expected=page.records))
    for step in ("validate_lines", "validate_refunds", "validate_orders", "keep_rows"):
        database.execute(_sql(step))


def _insert_records(
    database: duckdb.DuckDBPyConnection, page: RawPage, records: Iterable[tuple[int, str | None, str | None]]
) -> None:
    """Add the records (position, text, id) of a page; those that DuckDB cannot read are unparseable."""
    query, parameters = select_rows({"idx": "BIGINT", "txt": "VARCHAR", "given_id": "VARCHAR"}, list(records))
    database.execute(
        f"""INSERT INTO raw_record
        SELECT $batch, $page, idx, $since, $until, $began_at, CASE WHEN json_valid(txt) THEN CAST(txt AS JSON) END,
            NOT coalesce(json_valid(txt), false) OR regexp_matches(txt, '{_LONG_NUMBER}') OR is_deep(txt), given_id,
            $is_mapped
        FROM ({query})""",
        {name: getattr(page, name) for name in ("batch", "page", "since", "until", "began_at")}
        | {"is_mapped": page.mapped is not None}
        | parameters,
    )


def _describe(database: duckdb.DuckDBPyConnection, unparseable: int) -> str:
    received, outside, rejected = _fetch_row(
        database,
        """SELECT count(*), count(*) FILTER (WHERE is_outside),
            count(*) FILTER (WHERE reason IS NOT NULL AND NOT is_outside)
        FROM validated_order WHERE NOT is_unparseable""",
    )
    orders, rows, gone = _fetch_row(
        database,
        """SELECT count(*) FILTER (WHERE NOT is_gone), coalesce(sum(lines) FILTER (WHERE NOT is_gone), 0)::BIGINT,
            count(*) FILTER (WHERE is_gone)
        FROM raw_current""",
    )
    sums = database.execute(
        "SELECT coalesce(currency, ''), sum(amount) FROM raw_current WHERE NOT is_gone GROUP BY ALL ORDER BY 1"
    ).fetchall()
    revenue = ", ".join(f"{amount} {currency or 'without currency'}" for currency, amount in sums)
    detail = (
        f"Raw holds {received} records: {received - rejected - outside} accepted versions of {orders} orders"
        f" in {rows} rows ({revenue or 'no revenue'}), {rejected} rejected, {outside} outside their window."
    )
    if gone:
        detail += f" {gone} orders have left: deleted or emptied."
    if unparseable:
        detail += (
            f" Not covered: {unparseable} records that SQL cannot validate for certain (repeated keys, numbers of more"
            " than 15 digits, rare forms of ISO 8601, deep nesting, text that DuckDB refuses); their orders are left"
            " out on both sides."
        )
    return detail


def _compare(
    database: duckdb.DuckDBPyConnection, name: str, detail: str, unnamed: int, max_samples: int
) -> CheckOutcome:
    sql = _sql(name)
    offending, samples = fetch_samples(database, sql, most=max_samples)
    if 0 < offending <= unnamed:
        detail += f" Not covered: {offending} differences, for {unnamed} of those records have no id that SQL can read."
        return CheckOutcome(name, ok=True, why=read_why(sql), detail=detail)
    return CheckOutcome(name, not offending, read_why(sql), offending, tuple(samples), detail)


def _fetch_row(database: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    return database.execute(query).fetchall()[0]


def _sql(name: str) -> str:
    return read_sql(f"reconciliation/{name}")
