"""The deep check against lakes whose every file comes from the reference fold: no false alarm, and no blind eye."""

import csv
import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from lakes import Raw, open_job, run, write_batch as write_lake_batch
from order_cases import CASES
from reference_fold import DEFAULT_RULES, Batch, Rules, fold, read_json, validate_batch
from strategies import ZONES, batches, encode

from ordersetl.check.layer import check
from ordersetl.check.unparseable_pages import split_page
from ordersetl.lake.fold_settings import FoldSettings
from ordersetl.lake.layout import MANIFEST, Lake, file_day, page_name, partition_day
from ordersetl.lake.manifest import FileEntry, Manifest, QuarantineEntry, encode_manifest, read_manifest
from ordersetl.lake.raw import BatchMarker, BatchRequest, PageEntry, read_marker, write_marker
from ordersetl.report.failures import advise
from ordersetl.results import CheckOutcome
from ordersetl.runtime import RunContext
from ordersetl.source.nested import DeepRecord
from ordersetl.star.rules import COLUMNS_SINCE

FIRST = datetime(2025, 9, 1, tzinfo=UTC)
RULES = st.builds(
    Rules,
    timezone=st.sampled_from(("UTC", *ZONES)),
    cancelled_statuses=st.sampled_from([frozenset({"cancelled", "voided"}), frozenset({"paid"}), frozenset()]),
)


def batch_id(number: int) -> str:
    return (FIRST + timedelta(hours=number)).strftime("%Y%m%dT%H%M%S.%fZ")


def write_lake(
    root: Path, given_batches: Sequence[Batch], variety: int | None = None, rules: Rules = DEFAULT_RULES
) -> Lake:
    """Raw, quarantine, curated and manifest of the batches, each batch in two pages (an envelope and a bare list)."""
    lake = Lake(root)
    (lake.folder / "quarantine").mkdir(parents=True)
    (lake.folder / "curated").mkdir()
    read: list[Batch] = []
    quarantine: dict[str, QuarantineEntry] = {}
    for number, batch in enumerate(given_batches):
        texts = [encode(record, variety) for record in batch.orders]
        records = [read_json(text) for text in texts]
        read.append(Batch(records, batch.users, batch.products, batch.since, batch.until, batch.began_at or FIRST))
        half = len(texts) // 2
        write_batch(lake, number, batch, [texts[:half], texts[half:]])
        quarantine[batch_id(number)] = write_quarantine(lake, batch_id(number), read[-1], half)
    files = {name: write_file(lake, name, body) for name, body in fold(read, rules).items()}
    made_under = FoldSettings(rules.timezone, tuple(sorted(rules.cancelled_statuses)))
    batches = tuple(map(batch_id, range(len(read))))
    manifest = Manifest(rules=COLUMNS_SINCE, settings=made_under, batches=batches, files=files, quarantine=quarantine)
    (lake.folder / "curated/_manifest.json").write_bytes(encode_manifest(manifest))
    return lake


def write_batch(lake: Lake, number: int, batch: Batch, pages: list[list[str]]) -> None:
    folder = lake.folder / "raw" / batch_id(number)
    folder.mkdir(parents=True)
    entries = []
    for at, texts in enumerate(pages, start=1):
        start, end = ('{"orders": [', '], "next_cursor": "x"}') if at == 1 else ("[", "]")
        body = f"{start}{', '.join(texts)}{end}".encode("utf-8", "surrogatepass")
        (folder / page_name(at)).write_bytes(body)
        entries.append(PageEntry(page_name(at), hashlib.sha256(body).hexdigest(), len(body), len(texts)))
    window = (batch.since, batch.until, 2, batch.began_at or FIRST)
    request = BatchRequest("generic", "https://shop.example", *window, continues=False)
    marker = BatchMarker(
        batch_id(number),
        request.source,
        request.url,
        batch.since,
        batch.until,
        window_end=FIRST,
        request=request,
        committed_at=FIRST,
        tool="test",
        pages=tuple(entries),
    )
    write_marker(lake, marker)


def write_quarantine(lake: Lake, batch: str, validated: Batch, half: int) -> QuarantineEntry:
    lines = [
        json.dumps(
            {
                "batch": batch,
                "page": 1 if reject.index < half else 2,
                "index": reject.index if reject.index < half else reject.index - half,
                "line": reject.line,
                "order_id": None,
                "scope": reject.scope,
                "reason": reject.reason,
                "detail": "",
                "record": None,
            }
        )
        for reject in validate_batch(validated).rejects
    ]
    body = "".join(f"{line}\n" for line in lines).encode()
    (lake.folder / "quarantine" / f"{batch}.ndjson").write_bytes(body)
    return QuarantineEntry(hashlib.sha256(body).hexdigest(), len(body), len(lines), 0)


def write_file(lake: Lake, name: str, body: bytes) -> FileEntry:
    path = lake.folder / "curated" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    sums: dict[str, Decimal] = {}
    orders: set[str] = set()
    if file_day(name):
        amount = "net_amount" if partition_day(name) else "refund_amount"
        for row in rows:
            orders.add(row["order_id"])
            sums[row["currency"]] = sums.get(row["currency"], Decimal(0)) + Decimal(row[amount])
    texts = {currency: str(amount) for currency, amount in sums.items()}
    return FileEntry(hashlib.sha256(body).hexdigest(), len(body), 0, len(rows), len(orders), texts)


def check_deeply(lake: Lake) -> dict[str, CheckOutcome]:
    return {outcome.name: outcome for outcome in check(lake, deep=True).outcomes}


def order(order_id: str, amount: object, **other: object) -> dict[str, object]:
    return {
        "order_id": order_id,
        "amount": amount,
        "currency": "EUR",
        "created_at": "2025-08-20T10:00:00+05:30",
        "items": [{"sku": "A", "qty": 1, "price": amount}, {"sku": "B", "qty": 2, "price": 0}],
        **other,
    }


@settings(max_examples=25, deadline=None)
@given(batches(), st.none() | st.integers(0, 10**6), RULES)
def test_what_the_rules_make_of_any_raw_is_no_alarm(
    given_batches: list[Batch], variety: int | None, rules: Rules
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outcomes = check_deeply(write_lake(Path(folder) / "output", given_batches, variety, rules))
    assert [outcome for outcome in outcomes.values() if not outcome.ok] == []


def test_the_detail_tells_the_totals_and_what_is_not_covered(tmp_path: Path) -> None:
    records = [
        order("o-1", Decimal("10.50")),
        order("o-2", 3, currency=None),
        order("o-3", 1, items=[]),
        order("o-4", 1, created_at="2025-W34-3"),
    ]
    outcomes = check_deeply(write_lake(tmp_path / "output", [Batch(records)]))
    assert {"raw_readable", "raw_orders", "raw_rejects"} <= set(outcomes)
    assert all(outcome.ok for outcome in outcomes.values())
    detail = outcomes["raw_orders"].detail
    assert "3 records: 2 accepted versions of 2 orders in 4 rows (3.0000 without currency, 10.5000 EUR)" in detail
    assert "1 rejected" in detail
    assert "Not covered: 1 records" in detail


def test_an_order_lost_made_up_or_stale_is_named(tmp_path: Path) -> None:
    lake = write_lake(tmp_path / "output", [Batch([order("lost", 1), order("stale", 2), order("good", 3)])])
    wrong = fold([Batch([order("made-up", 1), order("stale", Decimal("2.0001")), order("good", 3)])])
    files = {name: write_file(lake, name, body) for name, body in wrong.items()}
    manifest = read_manifest(lake)
    assert manifest is not None
    (lake.folder / "curated/_manifest.json").write_bytes(
        encode_manifest(msgspec.structs.replace(manifest, files=files))
    )
    failed = {name: outcome for name, outcome in check_deeply(lake).items() if not outcome.ok}
    assert set(failed) == {"raw_orders"}
    assert [(row["order_id"], row["problem"]) for row in failed["raw_orders"].samples] == [
        ("lost", "not in curated"),
        ("made-up", "not in raw"),
        ("stale", "differs"),
    ]
    assert failed["raw_orders"].samples[2]["amount_in_raw"] == "2.0000"


CHARGED = order(
    "o-1",
    Decimal("10.00"),
    discount=3,
    tax=Decimal("0.01"),
    shipping=5,
    updated_at="2025-08-21",
    user_id="u-1",
    status="paid",
    metadata={"source": "web", "promo": "SPRING"},
    items=[{"sku": "A", "qty": 1, "price": 4}, {"sku": "B", "qty": 1, "price": 6}],
    refunds=[
        {"refund_id": "r", "created_at": "2025-09-01", "amount": 2, "items": [{"sku": "B", "qty": 1, "amount": 2}]}
    ],
)


@pytest.mark.parametrize(
    ("right", "wrong", "check_name"),
    [
        (("1.2000", "1.8000"), ("1.2001", "1.7999"), "raw_rows"),  # discount
        (("0.0040", "0.0060"), ("0.0050", "0.0050"), "raw_rows"),  # tax
        (("2.0000,0.0000", "3.0000,2.0000"), ("2.5000,0.0000", "2.5000,2.0000"), "raw_rows"),  # shipping
        (("2.0000,0.0000", "3.0000,2.0000"), ("2.0000,1.0000", "3.0000,1.0000"), "raw_rows"),  # refunded
        (("1.0000,4.0000,", "1.0000,6.0000,"), ("1.0000,4.0001,", "1.0000,6.0000,"), "raw_rows"),  # price
        (("2025-08-20 04:30:00.000000", "EUR"), ("2025-08-20 04:31:00.000000", "EUR"), "raw_rows"),  # created at
        ((",u-1,", ",EUR,"), (",,", ",EUR,"), "raw_rows"),
        ((",paid,", ",EUR,"), (",,", ",EUR,"), "raw_rows"),
        ((",web,", ",EUR,"), (",shop,", ",EUR,"), "raw_rows"),
        ((",SPRING,", ",EUR,"), (",,", ",EUR,"), "raw_rows"),
        (("false", "false"), ("true", "true"), "raw_orders"),
        (("r,B,1.0000", "r,B,1.0000"), ("r,A,1.0000", "r,A,1.0000"), "raw_refunds"),
        (("2025-09-01 00:00", "2025-09-01 00:00"), ("2025-09-01 00:01", "2025-09-01 00:01"), "raw_refunds"),
    ],
)
def test_wrong_money_that_adds_up_is_named(
    tmp_path: Path, right: tuple[str, str], wrong: tuple[str, str], check_name: str
) -> None:
    lake = write_lake(tmp_path / "output", [Batch([CHARGED])])
    assert all(outcome.ok for outcome in check_deeply(lake).values())
    manifest = read_manifest(lake)
    assert manifest is not None
    files = dict(manifest.files)
    for name in files:
        body = (lake.folder / "curated" / name).read_text()
        for before, after in zip(right, wrong, strict=True):
            body = body.replace(before, after)
        files[name] = write_file(lake, name, body.encode())
    changed = msgspec.structs.replace(manifest, files=files)
    (lake.folder / "curated/_manifest.json").write_bytes(encode_manifest(changed))
    failed = {name: outcome for name, outcome in check_deeply(lake).items() if not outcome.ok}
    assert set(failed) == {check_name}
    assert failed[check_name].samples[0]["order_id"] == "o-1"


def test_a_reject_that_quarantine_does_not_list_is_named(tmp_path: Path) -> None:
    bad = order("o-2", 1, items=[{"sku": "A", "qty": -1}, {"sku": "B", "qty": 1, "price": 1}])
    lake = write_lake(tmp_path / "output", [Batch([order("o-1", -1), bad])])
    assert check_deeply(lake)["raw_rejects"].ok
    (lake.folder / "quarantine" / f"{batch_id(0)}.ndjson").write_bytes(b"")
    outcomes = check_deeply(lake)
    assert not outcomes["quarantine_files"].ok
    assert [tuple(row.values()) for row in outcomes["raw_rejects"].samples] == [
        (batch_id(0), "line", "invalid_qty", "1", "0"),
        (batch_id(0), "order", "invalid_amount", "1", "0"),
    ]


def test_what_a_run_makes_of_every_case_is_no_alarm(tmp_path: Path) -> None:
    """A page and, where it says that it is o-1, an order each: none hides another."""
    texts = [
        text.replace('"order_id":"o-1"', f'"order_id":"o-{number}"', 1)
        for number, (text, _) in enumerate(CASES.values())
    ]
    with open_job(tmp_path / "output") as context:
        write_lake_batch(context, [Raw(text) for text in texts], pages_of=1)
        run(context)
        outcomes = check_deeply(context.lake)
    assert [outcome for outcome in outcomes.values() if not outcome.ok] == []
    assert "Not covered: 39 records" in outcomes["raw_orders"].detail


GOOD = b'"created_at":"2025-08-20","items":[{"sku":"A","qty":1,"price":1}]}'
RAW_NASTY = {
    "a broken byte in the id": b'{"order_id":"a\xff",' + GOOD,
    "deleted, but not so": b'{"order_id":"stays","deleted":"true","updated_at":"2025-08-21"}',
    "a line of nothing": b'{"order_id":"stays",' + GOOD.replace(b"[", b'[{"sku":"Z","qty":0},'),
    "far in the future": b'{"order_id":"stays","updated_at":"2061-01-01",' + GOOD,
    "ages ago": b'{"order_id":"late",' + GOOD.replace(b"2025", b"2024"),
}


@pytest.mark.parametrize("record", RAW_NASTY.values(), ids=RAW_NASTY)
@pytest.mark.parametrize("continues", [True, False])
def test_what_a_run_makes_of_nasty_records_is_no_alarm(tmp_path: Path, record: bytes, *, continues: bool) -> None:
    with open_job(tmp_path / "output") as context:
        write_with(context, record, since=datetime(2025, 8, 1, tzinfo=UTC), continues=continues)
        run(context)
        outcomes = check_deeply(context.lake)
    assert [outcome for outcome in outcomes.values() if not outcome.ok] == []


def write_with(context: RunContext, record: bytes, **options: Any) -> None:
    """Commit a batch whose one page holds a good order and these bytes."""
    batch = write_lake_batch(context, [order("stays", 1), Raw('"here"')], **options)
    marker = read_marker(context.lake, batch)
    path = context.lake.folder / "raw" / batch / page_name(1)
    body = path.read_bytes().replace(b'"here"', record)
    path.write_bytes(body)
    entry = msgspec.structs.replace(marker.pages[0], sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))
    write_marker(context.lake, msgspec.structs.replace(marker, pages=(entry,)))


def test_a_record_that_is_nested_too_deeply_is_no_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = b'{"order_id":"a","x":%s,' % (b"[" * 2100 + b"]" * 2100) + GOOD
    monkeypatch.setattr(
        "ordersetl.transform.validate.read_records",
        lambda _: [order("stays", 1), DeepRecord(order_id="a", created_at="2025-08-20")],
    )
    with open_job(tmp_path / "output") as context:
        write_with(context, deep)
        run(context)
        outcomes = check_deeply(context.lake)
    assert [outcome for outcome in outcomes.values() if not outcome.ok] == []
    assert "Not covered: 1 records" in outcomes["raw_orders"].detail


@pytest.mark.parametrize(
    "gone",
    [
        {"order_id": "leaves", "deleted": True, "updated_at": "2025-08-21", "items": [5]},
        order("leaves", 0, items=[]),
        order("leaves", None, items=[{"sku": "A", "qty": 0, "price": 5}]),
    ],
)
def test_an_order_that_left_is_in_curated_no_more(tmp_path: Path, gone: object) -> None:
    stays, leaves = order("stays", 1), order("leaves", 2)
    lake = write_lake(tmp_path / "output", [Batch([stays, leaves]), Batch([gone])])
    outcomes = check_deeply(lake)
    assert outcomes["raw_orders"].ok
    assert "3 accepted versions of 1 orders" in outcomes["raw_orders"].detail
    assert "1 orders have left" in outcomes["raw_orders"].detail
    files = {name: write_file(lake, name, body) for name, body in fold([Batch([stays, leaves])]).items()}
    manifest = read_manifest(lake)
    assert manifest is not None
    (lake.folder / "curated/_manifest.json").write_bytes(
        encode_manifest(msgspec.structs.replace(manifest, files=files))
    )
    failed = check_deeply(lake)["raw_orders"]
    assert [(row["order_id"], row["problem"]) for row in failed.samples] == [("leaves", "gone in raw")]


@pytest.mark.parametrize("corrupt", [lambda path: path.unlink(), lambda path: path.write_bytes(b"user_id\nu-2\n")])
def test_a_reference_file_of_raw_that_is_gone_or_damaged_is_a_failed_check(
    tmp_path: Path, corrupt: Callable[[Path], None]
) -> None:
    users = b"user_id,email,country,created_at\nu-1,,MX,\n"
    with open_job(tmp_path / "output") as context:
        for number in range(2):
            write_lake_batch(context, [order(f"o-{number}", 1)], users=users)
        run(context)
        assert check_deeply(context.lake)["raw_readable"].ok
        corrupt(next((context.lake.folder / "raw/reference").iterdir()))
        outcome = check_deeply(context.lake)["raw_readable"]
    assert (outcome.ok, outcome.offending, outcome.samples[0]["reference"]) == (False, 1, "users.csv")
    assert "--users" in advise([outcome])


@pytest.mark.parametrize("name", ["batch.json", page_name(1)])
def test_damaged_raw_is_a_failed_check(tmp_path: Path, name: str) -> None:
    lake = write_lake(tmp_path / "output", [Batch([order("o-1", 1), order("o-2", 1)])])
    (lake.folder / "raw" / batch_id(0) / name).write_bytes(b"{}")
    outcome = check_deeply(lake)["raw_readable"]
    assert (outcome.ok, outcome.offending, outcome.samples[0]["batch"]) == (False, 1, batch_id(0))


def test_what_is_advised_of_a_damaged_page_repairs_it(tmp_path: Path) -> None:
    """To fetch all again beside the damaged page would leave it damaged."""
    lake = write_lake(tmp_path / "output", [Batch([order("o-1", 1)])])
    (lake.folder / "raw" / batch_id(0) / page_name(1)).write_bytes(b"{}")
    advice = advise([check_deeply(lake)["raw_readable"]])
    assert f"move {lake.locate('raw/' + batch_id(0))} away, delete {lake.locate(MANIFEST)}" in advice
    (lake.folder / "raw" / batch_id(0)).rename(tmp_path / "away")
    (lake.folder / MANIFEST).unlink()
    with open_job(lake.folder) as context:
        write_lake_batch(context, [order("o-1", 1)])
        run(context)
    assert all(outcome.ok for outcome in check_deeply(lake).values())


@pytest.mark.parametrize("name", ["batch.json", page_name(1)])
@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"{}")])
def test_a_damaged_batch_that_waits_is_a_failed_check(tmp_path: Path, name: str, spoil: Callable[[Path], None]) -> None:
    with open_job(tmp_path / "output") as context:
        write_lake_batch(context, [order("o-1", 1)])
        run(context)
        waiting = write_lake_batch(context, [order("o-2", 1)])
        assert check_deeply(context.lake)["raw_readable"].ok
        damaged = context.lake.folder / "raw" / waiting / name
        spoil(damaged)
        found = check_deeply(context.lake)["raw_readable"]
        quick = {outcome.name: outcome for outcome in check(context.lake).outcomes}
        is_marker = name == "batch.json"
        if is_marker and not damaged.exists():  # then it is no batch, but an extraction that did not end
            assert found.ok
            return
        assert [row["batch"] for row in found.samples] == [waiting]
        assert quick["raw_batches"].ok is not is_marker


# Pages that DuckDB does not read


@pytest.mark.parametrize(
    ("body", "records"),
    [
        (b'\xef\xbb\xbf [ {"order_id": " 7 "} , 5 ]', [('{"order_id": " 7 "}', "7"), ("5", None)]),
        (b'{"a": [1], "orders": 3, "orders": [{"order_id": 12}]}', [('{"order_id": 12}', "12")]),
        (
            rb'[{"order_id": "\ud83e\udd8a\ud83e\\ud83e"}]',
            [(r'{"order_id": "\ud83e\udd8a\uffff\\ud83e"}', "\U0001f98a\ufffd\\ud83e")],
        ),
        (b'[{"order_id": "a\xff"}]', [('{"order_id": "a\uffff"}', "a\ufffd")]),
        (b'[{"order_id": 501.0}, {"order_id": 1.5}]', [('{"order_id": 501.0}', "501"), ('{"order_id": 1.5}', None)]),
        (rb'[{"order_id": "a\uFFFF"}, 5]', [(None, "a\uffff"), ("5", None)]),
        ('["\u00e9"]'.encode("utf-16"), [('"\u00e9"', None)]),
        (b"[]", []),
        (b'{"orders": []}', []),
        (b'{"other": []}', [(None, None)] * 2),
        (b"[1,", [(None, None)] * 2),
        (b"[" * 100_000, [(None, None)] * 2),
    ],
)
def test_an_odd_page_is_taken_apart(body: bytes, records: list[tuple[str | None, str | None]]) -> None:
    assert split_page(body, expected=2) == [(index, *record) for index, record in enumerate(records)]


def refund(refund_id: str = "r-1") -> dict[str, object]:
    items = [{"sku": "A", "amount": 1}]
    return {"refund_id": refund_id, "created_at": "2025-08-25", "amount": 4, "items": items}


MONEY = order("o-1", 10, discount=2, tax="1.90", shipping=3, refunds=[refund()])


@pytest.mark.parametrize(
    "other",
    [
        {"discount": None},
        {"refunds": None},
        {"refunds": [refund("r-2")]},
        {"cancelled_at": "2025-08-26"},
        {"items": [{"sku": "A", "qty": 1, "price": 10}, {"sku": "B", "qty": 2, "price": 0, "discount": 1}]},
    ],
    ids=str,
)
def test_money_that_differs_from_raw_is_named(tmp_path: Path, other: dict[str, object]) -> None:
    lake = write_lake(tmp_path / "output", [Batch([MONEY])])
    assert all(outcome.ok for outcome in check_deeply(lake).values())
    replace_curated(lake, fold([Batch([{**MONEY, **other}])]))
    failed = {outcome.name for outcome in check_deeply(lake).values() if not outcome.ok}
    assert failed & {"raw_orders", "raw_refunds", "raw_rows"}


def test_a_day_of_another_zone_than_the_manifests_is_named(tmp_path: Path) -> None:
    lake = write_lake(tmp_path / "output", [Batch([MONEY])])
    replace_curated(lake, fold([Batch([MONEY])], Rules("Etc/GMT+12")))
    assert not check_deeply(lake)["raw_orders"].ok


def replace_curated(lake: Lake, contents: dict[str, bytes]) -> None:
    """Make these the curated files, by the manifest too."""
    manifest = read_manifest(lake)
    assert manifest is not None
    for name in manifest.files.keys() - contents.keys():
        (lake.folder / "curated" / name).unlink()
    files = {name: write_file(lake, name, body) for name, body in contents.items()}
    (lake.folder / "curated/_manifest.json").write_bytes(
        encode_manifest(msgspec.structs.replace(manifest, files=files))
    )


@pytest.mark.parametrize("status", ["\u0130PTAL", "\u039f\u03a3", "\u212a", "Iptal " * 50])
def test_a_status_that_sql_writes_otherwise_in_lower_case_is_no_alarm(tmp_path: Path, status: str) -> None:
    for cancelled_statuses in ({status.lower()}, {status.lower()[:255], "i\u0307ptal", "iptal", "\u03bf\u03c3", "k"}):
        rules = Rules(cancelled_statuses=frozenset(cancelled_statuses))
        root = tmp_path / str(len(cancelled_statuses))
        lake = write_lake(root, [Batch([order("o-1", 1, status=status)])], rules=rules)
        assert check_deeply(lake)["raw_orders"].ok


def test_cancelled_is_compared_where_cancelled_at_decides_beside_any_status(tmp_path: Path) -> None:
    lake = write_lake(tmp_path / "output", [Batch([order("o-1", 1, status="\u0130", cancelled_at="2025-08-26")])])
    assert check_deeply(lake)["raw_orders"].ok
    replace_curated(lake, fold([Batch([order("o-1", 1, status="\u0130")])]))
    assert not check_deeply(lake)["raw_orders"].ok


def test_texts_that_sql_does_not_read_as_the_models_do_are_no_alarm(tmp_path: Path) -> None:
    twice = Raw('{"source": "a", "promo": "b", "source": 7}')
    texts = [" x ", "\u00e9" * 200, "x" * 300, 5, 501.0, Raw("5.01e2"), Raw("-0"), True, [], "a\u0000b", "", None, 1.5]
    records = [
        order(f"o-{at}", 1, user_id=f"u-{at}", status=text, metadata={"source": text, "promo": text})
        for at, text in enumerate(texts)
    ]
    records += [order(f"m-{at}", 1, metadata=metadata) for at, metadata in enumerate([twice, [1], "x", None])]
    with open_job(tmp_path / "output") as context:
        write_lake_batch(context, records)
        run(context)
        outcomes = check_deeply(context.lake)
    assert [outcome for outcome in outcomes.values() if not outcome.ok] == []


def test_a_currency_whose_digits_a_double_does_not_hold_is_no_alarm(tmp_path: Path) -> None:
    texts = ["1e15", "1e23", "12345678901234567", "12345678901234567.0", "1.5e3", "-1e17"]
    with open_job(tmp_path) as job:
        records = [json.dumps(order(f"o-{at}", 1, currency="@")) for at in range(len(texts))]
        write_lake_batch(job, [Raw(r.replace('"@"', text)) for r, text in zip(records, texts, strict=True)])
        run(job)
    found = check_deeply(Lake(tmp_path))
    assert all(outcome.ok for outcome in found.values()), found


def test_the_average_price_of_an_sku_is_compared_half_even(tmp_path: Path) -> None:
    prices = [("0.0001", "0.0002"), ("0.0002", "0.0003"), ("1", "2.0001"), ("1", None), (None, None)]
    records = [
        order(f"o-{at}", 5, items=[{"sku": "A", "qty": 1, "price": one}, {"sku": "A", "qty": 1, "price": other}])
        for at, (one, other) in enumerate(prices)
    ]
    assert all(outcome.ok for outcome in check_deeply(write_lake(tmp_path / "output", [Batch(records)])).values())
