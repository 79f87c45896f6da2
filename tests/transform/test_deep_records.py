"""A record that is nested too deeply to be read is one rejected record, wherever it stands."""

import json
from datetime import UTC, datetime

import pytest
from page_texts import join_page

from ordersetl.source.nested import MAX_DEPTH, DeepRecord
from ordersetl.source.page import Page
from ordersetl.transform.models import ORDER_REASONS
from ordersetl.transform.validate import Validated, validate_pages
from ordersetl.window import Window

GOOD = {
    "order_id": "o-1",
    "created_at": "2025-08-20T10:00:00Z",
    "amount": 1,
    "items": [{"sku": "A", "qty": 1, "price": 1}],
}


def validate(record: DeepRecord, monkeypatch: pytest.MonkeyPatch, window: Window | None = None) -> Validated:
    monkeypatch.setattr("ordersetl.transform.validate.read_records", lambda _: [GOOD, record])
    return validate_pages([Page(1, b"[]")], window or Window(), bulk=False)


def array() -> DeepRecord:
    record = DeepRecord()
    record.is_object = False
    return record


@pytest.mark.parametrize(
    ("record", "reason", "order_id"),
    [
        (DeepRecord(GOOD, order_id="deep"), "too_deep", "deep"),
        (DeepRecord(order_id=7.0), "too_deep", "7"),
        (DeepRecord(GOOD, order_id="deep", deleted=True), "too_deep", "deep"),
        (DeepRecord(order_id="deep", created_at="soon"), "too_deep", "deep"),
        (DeepRecord(created_at="2025-08-20"), "missing_order_id", None),
        (DeepRecord(order_id="x" * 256), "invalid_order_id", "x" * 255),
        (array(), "not_an_object", None),
    ],
)
def test_a_deep_record_is_rejected_after_its_id_was_judged(
    record: DeepRecord, reason: str, order_id: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = validate(record, monkeypatch)
    assert found.orders["order_id"].to_list() == ["o-1"]
    (reject,) = found.rejects
    assert (reject.reason, reject.order_id, reject.index, reject.record) == (reason, order_id, 1, None)
    assert reject.reason in ORDER_REASONS
    line = json.loads(reject.to_json("b"))
    assert (line["record"], f"more than {MAX_DEPTH} levels" in line["detail"]) == (None, True)


def test_a_deep_record_outside_the_window_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window(since=datetime(2025, 8, 20, tzinfo=UTC))
    found = validate(DeepRecord(order_id="deep", created_at="2025-08-19"), monkeypatch, window)
    assert (found.counts.outside_window, list(found.rejects)) == (1, [])


def test_the_bulk_path_leaves_a_deep_record_to_the_reader_of_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = json.dumps(GOOD)[:-1] + f',"note":{"[" * MAX_DEPTH}{"]" * MAX_DEPTH}}}'
    flat = json.dumps(GOOD)[:-1] + f',"note":[{",".join(["[]"] * (MAX_DEPTH - 10))}]}}'
    seen: list[bytes] = []

    def read_records(body: bytes) -> list[DeepRecord]:
        seen.append(body)
        return [DeepRecord(GOOD)]

    monkeypatch.setattr("ordersetl.transform.validate.read_records", read_records)
    found = validate_pages([Page(1, join_page([json.dumps(GOOD), flat]).encode())], Window())
    assert (found.orders.height, seen) == (2, [])
    found = validate_pages([Page(1, join_page([deep]).encode())], Window())
    assert [reject.reason for reject in found.rejects] == ["too_deep"]
