"""However a history of orders reaches raw, curated is the plain-Python fold of it, byte for byte."""

import contextlib
import csv
import io
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from lakes import Raw, curated_bytes, expected_bytes, load, open_job, raw_batches, spoil, transform, write_batch
from reference_fold import Batch, Rules, fold, validate_batch
from strategies import ZONES, batches, encode

from ordersetl.errors import ConfigError
from ordersetl.lake import index
from ordersetl.lake.layout import Lake, partition_day, refund_day
from ordersetl.load import dimensions
from ordersetl.results import LoadResult, OrderChanges, TransformResult
from ordersetl.runtime import RunContext
from ordersetl.star.dimensions import PRODUCTS, USERS, Dimension
from ordersetl.transform import chunks

LOAD = import_module("ordersetl.load.fold")
TRANSFORM = import_module("ordersetl.transform.batches")  # the package's own name of it is the function

THOROUGHLY = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

ENRICHMENT = {"user_country", "product_name", "product_category", "list_price"}
DAMAGES = ("staged", "index", "curated", "manifest", "quarantine", "partition", "refunds", "dimension", "segment")


def give_all_columns(dimension: Dimension, body: bytes | None) -> bytes | None:
    """The reference file with its missing columns added: without them no extraction would have kept it."""
    if body is None:
        return None
    header, end, rows = body.decode().partition("\n")
    given_names = {name.strip() for name in next(csv.reader([header.strip("\r\ufeff")]))}
    missing = [name for name in dimension.columns.values() if name not in given_names]
    return (",".join([header.rstrip("\r"), *missing]) + end + rows).encode()


@st.composite
def deliveries(draw: st.DrawFn, *, odd: bool = True) -> list[tuple[str, Batch]]:
    """Batches by id, oldest first, as the JSON text in which they arrive will be read."""
    made = []
    for number, batch in enumerate(draw(batches(odd=odd))):
        users, products = give_all_columns(USERS, batch.users), give_all_columns(PRODUCTS, batch.products)
        texts = [Raw(encode(record, draw(st.none() | st.integers(0, 2**16)))) for record in batch.orders]
        made.append((f"20250901T00000{number}.000000Z", replace(batch, orders=texts, users=users, products=products)))
    return made


@dataclass(frozen=True)
class Variant:
    """How the work is done, which must not show."""

    chunk_bytes: int = 1 << 20
    group_orders: int = 60_000
    workers: int = 1
    bulk: bool = True
    hash_bits: int = 64
    pages_of: int = 2
    few: int = 8


VARIANTS = st.builds(
    Variant,
    chunk_bytes=st.sampled_from((1, 400, 1 << 20)),
    group_orders=st.sampled_from((1, 2, 60_000)),
    workers=st.sampled_from((1, 1, 2)),
    bulk=st.booleans(),
    hash_bits=st.sampled_from((64, 64, 2, 0)),
    pages_of=st.sampled_from((1, 2, 50)),
    few=st.sampled_from((8, 0)),
)


RULES = st.builds(
    Rules,
    timezone=st.sampled_from(("UTC", *ZONES)),
    cancelled_statuses=st.sampled_from((Rules().cancelled_statuses, frozenset({"paid"}), frozenset[str]())),
    emails=st.sampled_from(("keep", "hash", "drop")),
    emails_key=st.just("a key of some length"),
)


@contextlib.contextmanager
def job_in(variant: Variant, rules: Rules, output: Path | None = None) -> Iterator[RunContext]:
    """A job on a new output, or this one, that works in this variant, under these rules."""
    hashing = index.order_key

    def coarse() -> pl.Expr:
        return hashing() % (1 << variant.hash_bits) if variant.hash_bits < 64 else hashing()

    with (
        tempfile.TemporaryDirectory() as root,
        contextlib.ExitStack() as stack,
        patch.object(chunks, "_MIB", variant.chunk_bytes),
        patch.object(LOAD, "_GROUP_ORDERS", variant.group_orders),
        patch.object(index, "order_key", coarse),
        patch.object(dimensions, "_FEW", variant.few),
    ):
        threads = stack.enter_context(ThreadPoolExecutor(variant.workers)) if variant.workers > 1 else None
        output = output or Path(root) / "output"
        yield stack.enter_context(
            open_job(
                output, executor=threads, workers=variant.workers, chunk_mb=1, bulk=variant.bulk, **settings_of(rules)
            )
        )


def settings_of(rules: Rules) -> dict[str, Any]:
    return {**asdict(rules), "cancelled_statuses": tuple(sorted(rules.cancelled_statuses))}


def deliver(context: RunContext, delivery: tuple[str, Batch], variant: Variant) -> None:
    batch_id, batch = delivery
    write_batch(
        context,
        batch.orders,
        batch_id=batch_id,
        users=batch.users,
        products=batch.products,
        since=batch.since,
        until=batch.until,
        pages_of=variant.pages_of,
    )


def damage(lake: Lake, what: str, nth: int) -> None:
    """Delete or spoil something that can be derived again, where it is there."""
    folders = {"staged": lake.folder / "staged", "index": lake.folder / "index", "curated": lake.folder / "curated"}
    if what in folders:
        shutil.rmtree(folders[what], ignore_errors=True)
    found = {
        "manifest": [lake.folder / "curated/_manifest.json"],
        "quarantine": sorted((lake.folder / "quarantine").glob("*.ndjson")),
        "partition": sorted((lake.folder / "curated").glob("dt=*/*.csv")),
        "refunds": sorted((lake.folder / "curated").glob("fact_refund/dt=*/*.csv")),
        "dimension": sorted((lake.folder / "curated").glob("dim_*.csv")),
        "segment": sorted((lake.folder / "index").glob("*")),
    }.get(what, [])
    if not found:
        return
    path = found[nth % len(found)]
    if nth % 3 == 0:
        path.unlink(missing_ok=True)
    elif nth % 3 == 1 and path.exists():
        path.write_bytes(path.read_bytes()[:-5])
    elif path.exists():
        spoil(path)


CuratedOrder = tuple[str, dict[str, tuple[str, ...]], list[dict[str, str]]]


def curated_orders(files: Mapping[str, bytes]) -> dict[str, CuratedOrder]:
    """Each order of the curated files: partition, rows by SKU without what reference data adds, refunds."""
    found: dict[str, CuratedOrder] = {}
    for file, body in files.items():
        if partition_day(file) is not None:
            for row in read_rows(body):
                bare = tuple(value for name, value in row.items() if name not in ENRICHMENT)
                found.setdefault(row["order_id"], (file, {}, []))[1][row["sku"]] = bare
    for file, body in files.items():
        if refund_day(file) is not None:
            for row in read_rows(body):
                found[row["order_id"]][2].append(row)
    return found


def read_rows(body: bytes) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(body.decode(), newline=""))


def naive_changes(
    before: Mapping[str, bytes], history: Sequence[Batch], pending: Sequence[Batch], rules: Rules
) -> OrderChanges:
    """What becomes of the order versions of the pending batches, which are the last of the history."""
    first = len(history) - len(pending)
    ranked = sorted(
        (order.updated_at, number, position, order.order_id)
        for number, batch in enumerate(history)
        for position, order in validate_batch(batch).accepted.items()
    )
    winners = {order_id: number for _, number, _, order_id in ranked}
    versions = sum(number >= first for _, number, _, _ in ranked)
    was, now = curated_orders(before), curated_orders(fold(history, rules))
    winning = [order_id for order_id, number in winners.items() if number >= first]
    taken = [order_id for order_id in winning if order_id in now]
    gone = [order_id for order_id in winning if order_id not in now]
    updated = [order_id for order_id in taken if order_id in was and was[order_id] != now[order_id]]
    unchanged = sum(order_id in was and was[order_id] == now[order_id] for order_id in taken)
    return OrderChanges(
        versions=versions,
        inserted=sum(order_id not in was for order_id in taken),
        updated=len(updated),
        unchanged=unchanged,
        superseded=versions - len(winning),
        removed=sum(order_id in was for order_id in gone),
        absent=sum(order_id not in was for order_id in gone),
        moved=sum(was[order_id][0] != now[order_id][0] for order_id in updated),
        lines_removed=sum(len(was[order_id][1].keys() - now[order_id][1].keys()) for order_id in updated)
        + sum(len(was[order_id][1]) for order_id in gone if order_id in was),
    )


def check_balance(transformed: TransformResult, loaded: LoadResult, lake: Lake) -> None:
    """Row counts reconcile with what is in the files."""
    t, o = transformed, loaded.orders
    assert t.received == t.accepted + t.rejected + t.outside_window
    assert t.rejected == sum(t.rejected_by_reason.values())
    assert t.lines_received == t.lines_accepted + t.lines_rejected + t.lines_skipped
    assert t.lines_accepted >= t.rows
    assert o.versions == o.inserted + o.updated + o.unchanged + o.superseded + o.removed + o.absent
    found = curated_orders(curated_bytes(lake))
    assert loaded.orders_total == len(found)
    assert loaded.rows == sum(len(rows) for _, rows, _ in found.values())


def times(lake: Lake) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in lake.folder.rglob("*") if path.is_file()}


@THOROUGHLY
@given(st.data())
def test_curated_is_the_fold_of_what_arrived_however_it_did(data: st.DataObject) -> None:
    waiting = data.draw(st.permutations(data.draw(deliveries(), "batches")), "arrivals")
    variant = data.draw(VARIANTS, "variant")
    rules = data.draw(RULES, "rules")
    with job_in(variant, rules) as context:
        while waiting:
            count = data.draw(st.integers(1, len(waiting)), "arriving")
            before, known = curated_bytes(context.lake), raw_batches(context.lake)
            for delivery in waiting[:count]:
                deliver(context, delivery, variant)
            waiting = waiting[count:]
            harmed = data.draw(st.lists(st.sampled_from(DAMAGES), max_size=2), "damages")
            for what in harmed:
                damage(context.lake, what, data.draw(st.integers(0, 8), "which"))
            partitions = {"partition", "refunds"}.intersection(harmed)
            trusts = not partitions and not {"curated", "manifest"}.intersection(harmed)
            rebuild = data.draw(st.sampled_from((False, False, False, True)), "rebuild")
            transformed = transform(context, verify=True)
            loaded = load(context, rebuild=rebuild, verify=data.draw(st.booleans(), "verify") or bool(partitions))
            assert curated_bytes(context.lake) == expected_bytes(context.lake, rules)
            check_balance(transformed, loaded, context.lake)
            again = times(context.lake)
            assert load(context).orders == OrderChanges()
            assert times(context.lake) == again
            if trusts:
                history = raw_batches(context.lake)
                new = sorted(history.keys() - known.keys())
                pending = [batch for batch_id, batch in history.items() if rebuild or not known or batch_id >= new[0]]
                found = {} if rebuild else before
                assert loaded.orders == naive_changes(found, list(history.values()), pending, rules)


@THOROUGHLY
@given(deliveries(), VARIANTS, RULES, RULES)
def test_under_other_settings_all_is_folded_again(
    drawn: list[tuple[str, Batch]], variant: Variant, before: Rules, after: Rules
) -> None:
    with tempfile.TemporaryDirectory() as root:
        output = Path(root) / "output"
        with job_in(variant, before, output) as context:
            for delivery in drawn:
                deliver(context, delivery, variant)
            transform(context)
            load(context)
        with job_in(variant, after, output) as context:
            if drawn and before.timezone != after.timezone:
                kept = curated_bytes(context.lake)
                with pytest.raises(ConfigError, match=re.escape(before.timezone)):
                    load(context)
                assert curated_bytes(context.lake) == kept
                load(context, rebuild=True)
            else:
                load(context)
            assert curated_bytes(context.lake) == expected_bytes(context.lake, after)
            assert load(context).orders == OrderChanges()
