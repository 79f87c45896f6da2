"""Each check holds on a small healthy layer, and fails by a corruption of its own, naming what is wrong."""

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import msgspec
import pytest

from ordersetl.check import tables as duckdb_files
from ordersetl.check.layer import check
from ordersetl.errors import InternalError, OrdersetlError, StorageError
from ordersetl.lake.fold_settings import FoldSettings
from ordersetl.lake.layout import Lake, file_day, partition_file, refund_file
from ordersetl.lake.manifest import FileEntry, Manifest, QuarantineEntry, encode_manifest, read_manifest
from ordersetl.report.failures import check_failure
from ordersetl.resources import locate
from ordersetl.results import BridgeMetric, CheckOutcome, CheckResult, OpenOrder
from ordersetl.star.rules import RULES
from ordersetl.star.schema import DIM_PRODUCT, DIM_USER, TABLES

CHECKS = {path.stem: path for path in (locate("sql") / "checks").glob("*/*.sql")}
DAY = date(2025, 8, 20)
NEXT_DAY = date(2025, 8, 21)
FIRST, SECOND, REFUNDS = partition_file(DAY), partition_file(NEXT_DAY), refund_file(DAY)
BATCH = "20250901T000000.000000Z"

Row = dict[str, str]


def row(order_id: str, sku: str, amount: str, order_amount: str, *, day: date = DAY, **other: str) -> Row:
    usual = {
        "order_id": order_id,
        "sku": sku,
        "user_id": "u-1",
        "qty": "1.0000",
        "item_price": amount,
        "line_amount": amount,
        "order_amount": order_amount,
        "net_amount": amount,
        "currency": "EUR",
        "created_at_order": f"{day} 10:00:00.000000",
        "updated_at_order": f"{day} 11:00:00.000000",
        "status": "paid",
        "source": "web",
        "promo": "",
        "user_country": "DE",
        "product_name": f"The {sku}",
        "product_category": 'Things, "odd"\nones',
        "list_price": amount,
        "discount_amount": "1.0000",
        "tax_amount": "",
        "shipping_amount": "0.5000",
        "refunded_amount": "0.0000",
        "cancelled": "false",
    }
    return usual | other


def refund(order_id: str, sku: str, amount: str, **other: str) -> Row:
    usual = {
        "order_id": order_id,
        "refund_id": "r-1",
        "sku": sku,
        "qty": "",
        "refund_amount": amount,
        "currency": "EUR",
        "refunded_at": f"{NEXT_DAY} 10:00:00.000000",
    }
    return usual | other


@dataclass
class Layer:
    """A curated layer in memory; ``write`` gives it a manifest that says what its files hold."""

    files: dict[str, list[Row]] = field(
        default_factory=lambda: {
            FIRST: [
                row("o-1", "A", "10.0000", "15.0000", refunded_amount="4.0000"),
                row("o-1", "B", "5.0000", "15.0000", refunded_amount="2.0000"),
                row("o-2", "A", "10.0000", "10.0000", currency="USD", user_id="", user_country=""),
            ],
            SECOND: [row("o-3", "B", "5.0000", "5.0000", day=NEXT_DAY, cancelled="true")],
            REFUNDS: [refund("o-1", "", "6.0000"), refund("o-1", "Z", "-1.0000"), refund("o-1", "A", "1.0000")],
            "dim_user.csv": [
                dict(zip(DIM_USER.names, ("u-1", "u@example.com", "DE", "2024-01-31", "false"), strict=True)),
                dict(zip(DIM_USER.names, ("u-2", "", "", "", "true"), strict=True)),
            ],
            "dim_product.csv": [
                dict(zip(DIM_PRODUCT.names, ("A", "The A", "Things", "10.0000", "false"), strict=True)),
                dict(zip(DIM_PRODUCT.names, ("B", "", "", "", "true"), strict=True)),
            ],
        }
    )
    rejected: list[dict[str, object]] = field(default_factory=list)

    def write(self, root: Path) -> Lake:
        lake = Lake(root)
        entries = {name: self._write_file(lake, name, rows) for name, rows in self.files.items()}
        body = "".join(json.dumps(line) + "\n" for line in self.rejected).encode()
        (lake.folder / "quarantine").mkdir(parents=True)
        (lake.folder / "quarantine" / f"{BATCH}.ndjson").write_bytes(body)
        quarantine = {BATCH: QuarantineEntry(hashlib.sha256(body).hexdigest(), len(body), len(self.rejected), 0)}
        write_manifest(lake, Manifest(rules=RULES, files=entries, quarantine=quarantine))
        return lake

    def _write_file(self, lake: Lake, name: str, rows: list[Row]) -> FileEntry:
        table = next(table for table in TABLES if name.endswith(f"{table.name}.csv"))
        out = io.StringIO()
        writer = csv.DictWriter(out, table.names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        path = lake.folder / "curated" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(out.getvalue().encode())
        sums: dict[str, Decimal] = {}
        if file_day(name):
            for r in rows:
                amount = Decimal(r.get("net_amount") or r.get("refund_amount") or 0)
                sums[r["currency"]] = sums.get(r["currency"], Decimal(0)) + amount
        orders = len({r["order_id"] for r in rows}) if file_day(name) else 0
        texts = {currency: str(amount) for currency, amount in sums.items()}
        return measure(path, FileEntry("", 0, 0, len(rows), orders, texts))


def measure(path: Path, entry: FileEntry) -> FileEntry:
    body = path.read_bytes()
    return msgspec.structs.replace(entry, sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))


def write_manifest(lake: Lake, manifest: Manifest) -> None:
    (lake.folder / "curated/_manifest.json").write_bytes(encode_manifest(manifest))


def record_file(lake: Lake, name: str, **changes: object) -> None:
    """Make the manifest say what the file is now, with the changes to its entry."""
    manifest = read_manifest(lake)
    assert manifest is not None
    entry = msgspec.structs.replace(measure(lake.folder / "curated" / name, manifest.files[name]), **changes)
    write_manifest(lake, msgspec.structs.replace(manifest, files={**manifest.files, name: entry}))


def failures(result: CheckResult) -> dict[str, CheckOutcome]:
    assert result.ok == all(outcome.ok for outcome in result.outcomes)
    return {outcome.name: outcome for outcome in result.outcomes if not outcome.ok}


def snapshot(root: Path) -> dict[Path, tuple[int, bytes]]:
    return {path: (path.lstat().st_mtime_ns, path.read_bytes()) for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def layer() -> Layer:
    return Layer()


@pytest.fixture
def lake(layer: Layer, tmp_path: Path) -> Lake:
    return layer.write(tmp_path / "output")


# A healthy layer


def test_a_healthy_layer_passes_and_stays_untouched(lake: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    before = snapshot(lake.folder)
    result = check(lake)
    assert result.ok
    assert (result.scope, result.days, result.deep) == ("all", (), False)
    assert set(CHECKS) <= {outcome.name for outcome in result.outcomes}
    assert all(outcome.why and not outcome.samples for outcome in result.outcomes)
    assert snapshot(lake.folder) == before
    assert capfd.readouterr() == ("", "")


def test_metrics_add_up(lake: Lake) -> None:
    result = check(lake)
    metrics = result.metrics
    assert [(m.currency, m.orders, m.lines, m.revenue, m.average_order_value) for m in metrics.currencies] == [
        ("EUR", 2, 3, Decimal("20.0000"), Decimal("10.0000")),
        ("USD", 1, 1, Decimal("10.0000"), Decimal("10.0000")),
    ]
    assert [(m.day, m.currency, m.orders, m.lines, m.revenue) for m in metrics.days] == [
        (DAY, "EUR", 1, 2, Decimal("15.0000")),
        (DAY, "USD", 1, 1, Decimal("10.0000")),
        (NEXT_DAY, "EUR", 1, 1, Decimal("5.0000")),
    ]
    assert [(m.currency, m.sku, m.name, m.qty, m.lines, m.revenue) for m in metrics.products] == [
        ("EUR", "A", "The A", Decimal("1.0000"), 1, Decimal("10.0000")),
        ("EUR", "B", None, Decimal("2.0000"), 2, Decimal("10.0000")),
        ("USD", "A", "The A", Decimal("1.0000"), 1, Decimal("10.0000")),
    ]
    assert [(m.currency, m.country, m.orders) for m in metrics.countries] == [("EUR", "DE", 2), ("USD", "", 1)]
    assert metrics.amount_differs == 0
    assert (result.totals.partitions, result.totals.orders, result.totals.rows) == (2, 3, 4)
    assert result.totals.revenue == {"EUR": Decimal("20.0000"), "USD": Decimal("10.0000")}
    assert result.totals.refunded == {"EUR": Decimal("6.0000")}
    none = Decimal(0)
    assert metrics.bridge == (
        BridgeMetric(
            *("EUR", Decimal(20), Decimal(3), none, Decimal("1.5"), Decimal("1.5"), Decimal(20)),
            *(Decimal(6), Decimal(5), Decimal(9)),
        ),
        BridgeMetric(
            *("USD", Decimal(10), Decimal(1), none, Decimal("0.5"), Decimal("0.5"), Decimal(10)),
            none,
            none,
            Decimal(10),
        ),
    )
    assert metrics.refunded_over_amount == 0


def test_an_amount_that_its_lines_do_not_sum_to_is_counted_and_no_failure(layer: Layer, tmp_path: Path) -> None:
    layer.files[SECOND] = [row("o-3", "B", "5.0000", "4.0000", day=NEXT_DAY, net_amount="4.0000")]
    result = check(layer.write(tmp_path / "output"))
    assert result.ok
    assert result.metrics.amount_differs == 1


def test_more_refunded_than_an_order_came_to_is_counted_and_no_failure(layer: Layer, tmp_path: Path) -> None:
    layer.files[REFUNDS][0].update(refund_amount="16.0000")
    layer.files[FIRST][1].update(refunded_amount="12.0000")
    result = check(layer.write(tmp_path / "output"))
    assert result.ok
    assert result.metrics.refunded_over_amount == 1
    assert result.metrics.bridge[0].net == Decimal(-1)


def test_a_partition_is_the_day_of_the_recorded_time_zone(layer: Layer, tmp_path: Path) -> None:
    layer.files[FIRST][2].update(created_at_order=f"{DAY} 22:00:00.000000")  # midnight in Berlin
    layer.files[SECOND][0].update(created_at_order=f"{NEXT_DAY} 21:59:59.999999")
    lake = layer.write(tmp_path / "output")
    assert check(lake).ok
    manifest = read_manifest(lake)
    assert manifest is not None
    berlin = msgspec.structs.replace(manifest, settings=FoldSettings(timezone="Europe/Berlin"))
    write_manifest(lake, berlin)
    found = failures(check(lake))
    assert set(found) == {"partition_is_created_date"}
    assert [s["order_id"] for s in found["partition_is_created_date"].samples] == ["o-2"]


def test_an_empty_layer_passes(layer: Layer, tmp_path: Path) -> None:
    layer.files = {name: [] for name in ("dim_user.csv", "dim_product.csv")}
    result = check(layer.write(tmp_path / "output"))
    assert result.ok
    assert result.metrics.currencies == ()


def test_groups_of_partitions_give_the_same_result(
    layer: Layer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer.files[SECOND].append(row("o-1", "C", "1.0000", "1.0000", day=NEXT_DAY))
    lake = layer.write(tmp_path / "output")
    whole = check(lake)
    monkeypatch.setattr(duckdb_files, "GROUP_BYTES", 1)
    apart = check(lake)
    assert set(failures(whole)) == {"one_partition_per_order", "products_resolve"}
    assert (apart.outcomes, apart.metrics) == (whole.outcomes, whole.metrics)


@pytest.mark.parametrize("name", ["a [b] c*d?", "sku=x", "dt=1999-01-01", "it's", "{a,b}", "~", "%41#", "a\nb", '"é"'])
def test_the_folder_may_have_any_name(layer: Layer, tmp_path: Path, name: str) -> None:
    result = check(layer.write(tmp_path / name / "output"))
    assert failures(result) == {}
    assert {m.day for m in result.metrics.days} == {DAY, NEXT_DAY}


# The SQL checks

Corruption = Callable[[Layer], object]

# The manifest says what each corruption left, so that nothing but the rule itself is broken.
CORRUPTIONS: dict[str, Corruption] = {
    "unique_key": lambda layer: layer.files[FIRST].append(
        row("o-2", "A", "0.0000", "10.0000", currency="USD", user_id="")
    ),
    "one_partition_per_order": lambda layer: layer.files[SECOND].append(
        row("o-1", "A", "1.0000", "1.0000", day=NEXT_DAY)
    ),
    "partition_is_created_date": lambda layer: layer.files[SECOND][0].update(created_at_order=f"{DAY} 23:59:59.999999"),
    "shares_sum_to_amount": lambda layer: layer.files[FIRST][0].update(net_amount="9.9999"),
    "one_amount_per_order": lambda layer: layer.files[FIRST][0].update(order_amount="14.0000"),
    "one_user_per_order": lambda layer: layer.files[FIRST][0].update(user_id="u-2"),
    "one_currency_per_order": lambda layer: layer.files[FIRST][0].update(net_amount="0.0000", currency="USD"),
    "users_resolve": lambda layer: layer.files[SECOND][0].update(user_id="u-9"),
    "products_resolve": lambda layer: layer.files[SECOND][0].update(sku="Z"),
    "no_empty_partition": lambda layer: layer.files[SECOND].clear(),
    "no_negative_measure": lambda layer: layer.files[FIRST][0].update(line_amount="-0.0001"),
    "positive_qty": lambda layer: layer.files[FIRST][0].update(qty="0.0000"),
    "no_missing_value": lambda layer: layer.files[SECOND][0].update(updated_at_order=""),
    "bridge_closes": lambda layer: layer.files[FIRST][0].update(refunded_amount="4.0001"),
    "charges_on_all_rows": lambda layer: layer.files[FIRST][0].update(tax_amount="1.0000"),
    "one_cancelled_per_order": lambda layer: layer.files[FIRST][0].update(cancelled="true"),
    "no_missing_refund_value": lambda layer: layer.files[REFUNDS][0].update(refunded_at=""),
    "refunds_resolve": lambda layer: layer.files[REFUNDS].append(refund("o-3", "", "0.0000")),
    "refunds_sum_to_refunded": lambda layer: layer.files[REFUNDS][0].update(refund_amount="5.9999"),
    "unique_refund": lambda layer: layer.files[REFUNDS].append(refund("o-1", "Z", "0.0000")),
    "unique_user": lambda layer: layer.files["dim_user.csv"].append(layer.files["dim_user.csv"][0]),
    "unique_product": lambda layer: layer.files["dim_product.csv"].append(layer.files["dim_product.csv"][0]),
}
# Those of the manifest: the file, and what its entry says wrongly.
LIES: dict[str, tuple[str, dict[str, object]]] = {
    "file_totals": (FIRST, {"orders": 3}),
    "file_revenue": (FIRST, {"sums": {"EUR": "15.0001", "USD": "10.0000"}}),
    "file_refunds": (REFUNDS, {"sums": {"EUR": "6.0001"}}),
    "dimension_totals": ("dim_user.csv", {"rows": 3}),
}
# What a corruption cannot help breaking as well.
ALSO = {
    "one_currency_per_order": {"shares_sum_to_amount", "file_revenue", "bridge_closes", "refunds_resolve"},
    "bridge_closes": {"refunds_sum_to_refunded"},
    "refunds_sum_to_refunded": {"bridge_closes"},
}


def test_every_check_says_why_and_has_a_failing_example() -> None:
    assert sorted([*CORRUPTIONS, *LIES]) == sorted(CHECKS)
    for name, path in CHECKS.items():
        first = path.read_text().splitlines()[0]
        assert first.startswith("-- "), name
        assert len(first) > 30, name


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
def test_a_broken_rule_is_named_with_its_rows(layer: Layer, tmp_path: Path, name: str) -> None:
    CORRUPTIONS[name](layer)
    found = failures(check(layer.write(tmp_path / "output")))
    assert name in found
    assert set(found) - ALSO.get(name, set()) == {name}
    outcome = found[name]
    assert outcome.offending == len(outcome.samples) == 1
    shown = set(outcome.samples[0].values())
    assert shown & {"o-1", "o-2", "o-3", "u-1", "A", SECOND, "EUR"}


@pytest.mark.parametrize("name", sorted(LIES))
def test_a_manifest_that_says_otherwise_is_found(lake: Lake, name: str) -> None:
    file, changes = LIES[name]
    record_file(lake, file, **changes)
    found = failures(check(lake))
    assert set(found) == {name}
    assert found[name].offending == 1


def test_only_the_first_offending_rows_are_shown(layer: Layer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_files, "GROUP_BYTES", 1)
    for name in (FIRST, SECOND):
        for r in layer.files[name]:
            r["user_id"] = "u-9"
    outcome = failures(check(layer.write(tmp_path / "output"), max_samples=2))["users_resolve"]
    assert (outcome.offending, len(outcome.samples)) == (4, 2)
    assert outcome.samples[0]["user_id"] == "u-9"


# Files

WITHOUT_ORDERS = {"refunds_resolve", "refunds_sum_to_refunded", "bridge_closes"}
"""What the refunds of a day break whose orders cannot be read."""


def flip_bit(path: Path) -> None:
    body = bytearray(path.read_bytes())
    at = body.index(b"paid")
    body[at] ^= 1
    path.write_bytes(body)


def cut_inside(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def cut_after_row(path: Path) -> None:
    path.write_bytes(path.read_bytes().rpartition(b"o-2,")[0])


def write_junk(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'o-9,"x\n')


def change_type(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"15.0000", b"fifteen"))


def break_text(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"paid", b"p\xff\xfed"))


def drop_column(path: Path) -> None:
    path.write_bytes(b"".join(line.partition(b",")[2] for line in path.read_bytes().splitlines(keepends=True)))


def make_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    shutil.move(path.with_name("elsewhere"), path.parents[2] / "elsewhere.csv")
    path.symlink_to(path.parents[2] / "elsewhere.csv")


def make_folder_link(path: Path) -> None:
    shutil.move(path.parent, path.parents[2] / "elsewhere")
    path.parent.symlink_to(path.parents[2] / "elsewhere")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("corruption", "expected"),
    [
        (flip_bit, {"files_unchanged"}),
        (cut_after_row, {"files_unchanged", "file_totals", "file_revenue"}),
        (cut_inside, {"files_unchanged", "readable"}),
        (lambda path: path.write_bytes(b""), {"files_unchanged", "readable"}),
        (write_junk, {"files_unchanged", "readable"}),
        (change_type, {"files_unchanged", "readable"}),
        (break_text, {"files_unchanged", "readable"}),
        (drop_column, {"files_unchanged", "readable"}),
        (lambda path: path.unlink(), {"files_present"}),
        (make_link, {"files_present"}),
        (make_folder_link, {"files_present"}),
        (make_folder, {"files_present"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_damaged_file_is_named(lake: Lake, corruption: Callable[[Path], object], expected: set[str]) -> None:
    corruption(lake.folder / "curated" / FIRST)
    result = check(lake)
    found = failures(result)
    assert set(found) - {"stray_files"} - WITHOUT_ORDERS == expected
    for name in expected & {"files_unchanged", "files_present", "readable", "file_totals"}:
        assert found[name].samples[0]["file"] == FIRST
    # What is intact is still looked at.
    assert NEXT_DAY in {m.day for m in result.metrics.days}


def test_damaged_refunds_are_named(lake: Lake) -> None:
    cut_inside(lake.folder / "curated" / REFUNDS)
    found = failures(check(lake))
    assert set(found) == {"files_unchanged", "readable", "refunds_sum_to_refunded", "bridge_closes"}
    assert found["readable"].samples[0]["file"] == REFUNDS


@pytest.mark.parametrize("corruption", [cut_inside, change_type, drop_column])
def test_a_malformed_file_fails_even_if_the_manifest_knows_it(lake: Lake, corruption: Callable[[Path], object]) -> None:
    corruption(lake.folder / "curated" / FIRST)
    record_file(lake, FIRST)
    found = failures(check(lake))
    assert set(found) - WITHOUT_ORDERS == {"readable"}
    assert found["readable"].samples[0]["problem"]


def test_a_damaged_dimension_is_named(lake: Lake) -> None:
    (lake.folder / "curated" / "dim_product.csv").write_bytes(b"")
    found = failures(check(lake))
    assert found["readable"].samples[0]["file"] == "dim_product.csv"
    assert "products_resolve" in found


@pytest.mark.parametrize(
    ("stray", "shown"),
    [
        ("notes.csv", "notes.csv"),
        (f"dt={DAY}/copy.csv", f"dt={DAY}/copy.csv"),
        (f"dt={DAY}/.fact_order.csv", f"dt={DAY}/.fact_order.csv"),
        ("dt=2025-01-01/fact_order.csv", "dt=2025-01-01/"),
        ("._dim_user.csv", "._dim_user.csv"),
        ("dt=2025-01-02", "dt=2025-01-02"),
        ("old/2024/x.csv", "old/"),
        (f"old/dt={DAY}/x.parquet", "old/"),
        (f"dt={DAY}/old/x.csv", f"dt={DAY}/old/"),
    ],
)
def test_what_nobody_recorded_is_reported_and_not_queried(lake: Lake, stray: str, shown: str) -> None:
    path = lake.folder / "curated" / stray
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("no,table\n")
    found = failures(check(lake))
    assert set(found) == {"stray_files"}
    assert found["stray_files"].samples == ({"file": shown},)
    assert "ordersetl load --rebuild" in found["stray_files"].detail
    assert "by hand" in found["stray_files"].detail


@pytest.mark.parametrize(
    "litter",
    [
        *(".DS_Store", "Thumbs.db", ".~lock.dim_user.csv#", ".ipynb_checkpoints/dim_user-checkpoint.csv", "notes.txt"),
        *(f"dt={DAY}/.DS_Store", f"dt={DAY}/Thumbs.db", f"dt={DAY}/.~lock.fact_order.csv#", "dt=2025-01-01/.DS_Store"),
        *(f"dt={DAY}/.ipynb_checkpoints/fact_order-checkpoint.csv", "_staging/x.csv", "notes/README.md"),
        *("._manifest.json.0123456789abcdef.tmp", f"dt={DAY}/.fact_order.csv.swp"),
    ],
)
def test_what_no_glob_for_data_matches_is_no_stray(lake: Lake, litter: str) -> None:
    path = lake.folder / "curated" / litter
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert failures(check(lake)) == {}


def test_batches_that_curated_holds_must_be_in_raw(layer: Layer, tmp_path: Path) -> None:
    lake = layer.write(tmp_path / "output")
    manifest = read_manifest(lake)
    assert manifest is not None
    (lake.folder / "raw" / BATCH).mkdir(parents=True)
    (lake.folder / "raw" / BATCH / "batch.json").touch()
    write_manifest(lake, msgspec.structs.replace(manifest, batches=(BATCH,)))
    assert failures(check(lake)) == {}
    shutil.rmtree(lake.folder / "raw")
    found = failures(check(lake))
    assert set(found) == {"raw_batches"}
    assert found["raw_batches"].samples == ({"batch": BATCH, "problem": "is no longer in raw"},)
    assert "backup" in found["raw_batches"].detail
    assert failures(check(lake, days=[DAY])) == {}


def test_a_batch_of_an_impossible_time_is_reported(lake: Lake) -> None:
    (lake.folder / "raw" / "99991231T235959.999999Z").mkdir(parents=True)
    assert failures(check(lake))["raw_batches"].samples[0]["batch"] == "99991231T235959.999999Z"


def test_what_is_ordersetls_own_is_no_stray(lake: Lake) -> None:
    (lake.folder / "curated/_damaged").mkdir()
    (lake.folder / "curated/_damaged" / "old.csv").touch()
    (lake.folder / "curated/_staging").mkdir()
    shutil.copy(lake.folder / "curated/_manifest.json", lake.folder / "curated/_pending.json")
    assert check(lake).ok
    (lake.folder / "curated" / FIRST).unlink()
    assert "interrupted" in failures(check(lake))["files_present"].detail


@pytest.mark.parametrize(
    "corruption", [lambda path: path.unlink(), lambda path: path.write_bytes(b"{}\n"), make_folder]
)
def test_a_lost_or_changed_quarantine_file_is_found(
    layer: Layer, tmp_path: Path, corruption: Callable[[Path], object]
) -> None:
    layer.rejected.append({"batch": BATCH, "scope": "order", "reason": "no_items", "order_id": "o-9"})
    lake = layer.write(tmp_path / "output")
    corruption(lake.folder / "quarantine" / f"{BATCH}.ndjson")
    found = failures(check(lake))
    assert set(found) == {"quarantine_files"}
    assert found["quarantine_files"].samples[0]["file"] == BATCH


# The manifest


def put_file_for_folder(lake: Lake) -> None:
    shutil.rmtree(lake.folder / "curated")
    (lake.folder / "curated").touch()


@pytest.mark.parametrize(
    ("corruption", "detail"),
    [
        (lambda lake: (lake.folder / "curated/_manifest.json").unlink(), "ordersetl run"),
        (lambda lake: shutil.rmtree(lake.folder), "ordersetl run"),
        (lambda lake: (lake.folder / "curated/_manifest.json").write_bytes(b""), "damaged"),
        (
            lambda lake: (lake.folder / "curated/_manifest.json").write_bytes(
                (lake.folder / "curated/_manifest.json").read_bytes().replace(b"15", b"16")
            ),
            "damaged",
        ),
        (lambda lake: make_folder(lake.folder / "curated/_manifest.json"), "is a folder"),
        (
            lambda lake: write_manifest(lake, Manifest(files={"../x.csv": FileEntry("0" * 64, 0, 0, 0)})),
            "not one that ordersetl writes",
        ),
        (lambda lake: record_file(lake, FIRST, sums={"EUR": "lots"}), "the sum 'lots'"),
        (lambda lake: record_file(lake, FIRST, sums={"EUR": "NaN"}), "the sum 'NaN'"),
    ],
)
@pytest.mark.parametrize("days", [None, [DAY]])
def test_without_a_manifest_the_check_fails_and_helps(
    lake: Lake, corruption: Callable[[Lake], object], detail: str, days: list[date] | None
) -> None:
    corruption(lake)
    result = check(lake, days=days)
    assert set(failures(result)) == {"manifest"}
    assert detail in result.outcomes[0].detail


def put_link_for_folder(lake: Lake) -> None:
    (lake.folder / "curated").rename(lake.folder / "elsewhere")
    (lake.folder / "curated").symlink_to(lake.folder / "elsewhere")


def put_pipe_for_folder(lake: Lake) -> None:
    shutil.rmtree(lake.folder / "quarantine")
    os.mkfifo(lake.folder / "quarantine")


@pytest.mark.parametrize(
    ("corruption", "detail"),
    [
        (put_file_for_folder, "curated must be a folder of its own, and is a file. Move it away"),
        (put_link_for_folder, "curated must be a folder of its own, and is a link. Move it away"),
        (put_pipe_for_folder, "quarantine must be a folder of its own, and is a pipe or a device. Move it away"),
    ],
)
def test_what_is_in_a_folder_s_place_is_to_be_moved_away(
    lake: Lake, corruption: Callable[[Lake], object], detail: str
) -> None:
    corruption(lake)
    result = check(lake)
    assert set(failures(result)) == {"folders"}
    failure = check_failure(result)
    assert failure is not None
    assert detail in failure.message
    assert detail in failure.hint
    assert "ordersetl load" not in failure.hint


# Within a run


def test_days_cover_their_partitions_and_the_dimensions_alone(lake: Lake) -> None:
    (lake.folder / "curated" / SECOND).write_bytes(b"broken")
    (lake.folder / "quarantine" / f"{BATCH}.ndjson").unlink()
    result = check(lake, days=[DAY], deep=True)
    assert failures(result) == {}
    assert (result.scope, result.days, result.deep) == ("days", (DAY,), False)
    assert result.metrics.days == ()
    assert [(bridge.currency, bridge.net) for bridge in result.metrics.bridge] == [
        ("EUR", Decimal(9)),
        ("USD", Decimal(10)),
    ]
    assert result.totals.orders == 3
    assert result.open_quarantine is None
    (lake.folder / "curated" / "dim_user.csv").unlink()
    assert "files_present" in failures(check(lake, days=[DAY]))


def test_a_day_that_was_removed_must_be_gone(lake: Lake) -> None:
    gone = date(2025, 1, 1)
    assert check(lake, days=[DAY, gone]).ok
    (lake.folder / "curated" / partition_file(gone)).parent.mkdir()
    assert set(failures(check(lake, days=[DAY, gone]))) == {"stray_files"}
    assert check(lake, days=[DAY]).ok


def test_nothing_written_leaves_only_the_manifest_to_look_at(lake: Lake) -> None:
    (lake.folder / "curated" / FIRST).write_bytes(b"broken")
    (lake.folder / "curated" / "dim_user.csv").unlink()
    result = check(lake, days=[], dimensions=False)
    assert (result.ok, result.scope, result.days) == (True, "days", ())
    (lake.folder / "curated/_manifest.json").write_bytes(b"broken")
    assert set(failures(check(lake, days=[], dimensions=False))) == {"manifest"}


def test_days_trust_the_time_of_a_write_and_the_whole_layer_does_not(lake: Lake) -> None:
    path = lake.folder / "curated" / FIRST
    manifest = read_manifest(lake)
    assert manifest is not None
    time_ns = manifest.files[FIRST].mtime_ns
    path.write_bytes(path.read_bytes().replace(b"web", b"wob"))  # a label, which no query looks at
    assert "files_unchanged" in failures(check(lake, days=[DAY]))
    os.utime(path, ns=(time_ns, time_ns))
    assert check(lake, days=[DAY]).ok
    assert set(failures(check(lake))) == {"files_unchanged"}


# Open quarantine


def rejected(order_id: str | None, reason: str = "no_items", time: str | None = None) -> dict[str, object]:
    return {
        "batch": BATCH,
        "page": 1,
        "index": 0,
        "line": None,
        "order_id": order_id,
        "scope": "order",
        "reason": reason,
        "detail": "",
        "time": time,
        "record": {"updated_at": "2199-01-01", "note": "\ud800"},  # which nobody reads any more
    }


def test_open_are_rejected_orders_without_a_later_good_version(layer: Layer, tmp_path: Path) -> None:
    layer.rejected += [
        rejected("o-1", time="2025-08-20T10:59:59Z"),  # curated has a later one
        rejected("o-2", time="2025-08-20T11:00:00Z"),  # curated has one of that time, and no batch says from where
        rejected("o-3", time="2025-08-21T11:00:00.000001Z"),  # later than what curated has
        rejected("o-3", "invalid_amount", time="2025-08-22T00:00:00Z"),  # and again
        rejected("o-4", time="2025-08-20T00:00:00Z"),  # curated has none
        rejected("o-1", "invalid_updated_at"),  # no time, likewise
        rejected(None, "missing_order_id"),
        rejected(None, "not_an_object"),
        rejected("o-5") | {"scope": "line", "line": 0},
    ]
    opened = check(layer.write(tmp_path / "output")).open_quarantine
    assert opened is not None
    assert (opened.orders, opened.without_id) == (4, 2)
    assert opened.by_reason == {
        "invalid_amount": 1,
        "invalid_updated_at": 1,
        "missing_order_id": 1,
        "no_items": 2,
        "not_an_object": 1,
    }
    assert set(opened.newest) == {
        OpenOrder(BATCH, "o-1", "invalid_updated_at"),
        OpenOrder(BATCH, "o-2", "no_items"),
        OpenOrder(BATCH, "o-3", "invalid_amount"),
        OpenOrder(BATCH, "o-4", "no_items"),
    }


def test_no_room_for_temporary_files_is_a_storage_error(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_files, "_MIN_MEMORY_MB", 1)
    monkeypatch.setattr(duckdb_files, "_MEMORY_MB_A_THREAD", 0)
    with pytest.raises(StorageError, match="could not be finished"):
        check(lake)


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (duckdb.OutOfMemoryException("out"), StorageError),
        (duckdb.IOException("disk"), StorageError),
        (duckdb.BinderException("no such column"), InternalError),
    ],
)
def test_only_room_that_is_missing_is_said_to_be(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, refusal: duckdb.Error, expected: type[OrdersetlError]
) -> None:
    def refuse(*_: object) -> None:
        raise refusal

    monkeypatch.setattr("ordersetl.check.layer.TableQuery.run", refuse)
    with pytest.raises(expected) as raised:
        check(lake)
    assert ("TMPDIR" in (raised.value.hint or "")) == (expected is StorageError)
