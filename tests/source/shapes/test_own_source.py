"""docs/sources.md: the description that it writes works, against an API that no built-in source fits."""

import json
import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from lakes import Clock, LaxDisk, SerialExecutor
from readme import ROOT
from reference_fold import Batch, fold
from shape_runs import output_bytes

from ordersetl import pipeline
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings
from ordersetl.source.description import mapping, model
from ordersetl.source.description.loading import list_builtin, load_description
from ordersetl.source.description.model import Description
from ordersetl.source.sample.exchange import Answer, Asked, Refusal, as_app
from ordersetl.source.server import serve

PAGE = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


ANSWER = json.loads(block("json"))
THIRD = {
    "no": 4713,
    "placed": 1755000300,
    "changed": 1755001000,
    "buyer": {"id": 7, "mail": "a@x.example"},
    "currency": "EUR",
    "sum_cents": 999,
    "state": "done",
    "positions": [{"article": "JAM", "id": 3, "count": "1", "each_cents": 999, "text": "Jam"}],
}
EXPECTED = [
    {
        "order_id": "4711",
        "amount": "45.80",
        "discount": "5.00",
        "currency": "EUR",
        "created_at": "2025-08-12T12:01:40Z",
        "updated_at": "2025-08-12T12:15:00Z",
        "status": "done",
        "items": [
            {"sku": "HONEY-500", "qty": "2", "price": "12.90", "name": "Honey"},
            {"sku": "product:19", "qty": "1.25", "price": "20.00", "name": "Cheese"},
        ],
        "refunds": [{"refund_id": "1", "created_at": "2025-08-12T12:13:20Z", "amount": "12.90"}],
    },
    {
        "order_id": "4713",
        "user_id": "7",
        "user": {"email": "a@x.example"},
        "amount": "9.99",
        "currency": "EUR",
        "created_at": "2025-08-12T12:05:00Z",
        "updated_at": "2025-08-12T12:16:40Z",
        "status": "done",
        "items": [{"sku": "JAM", "qty": "1", "price": "9.99", "name": "Jam"}],
    },
]


def farm(asked: Asked) -> Answer:
    """The API of the page."""
    if asked.path != "/api/sales" or asked.unknown(["changed_from", "changed_to", "offset", "count"]):
        raise Refusal(404, {"problem": "no such thing"})
    if asked.headers.get("x-key") != "k":
        raise Refusal(403, {"problem": "who are you?"})
    since, until = int(asked.params.get("changed_from", "0")), int(asked.params.get("changed_to", "9999999999"))
    sales = [sale for sale in [*ANSWER["result"]["sales"], THIRD] if since <= sale["changed"] < until]
    start, count = int(asked.params["offset"]), int(asked.params["count"])
    return Answer({"result": {"total": len(sales), "sales": sales[start : start + count]}})


def test_the_description_of_the_page_works(tmp_path: Path) -> None:
    file = tmp_path / "farm.toml"
    file.write_text(block("toml"))
    now = datetime(2025, 9, 1, tzinfo=UTC)
    with serve(as_app(farm)) as url:
        given: dict[str, Any] = {"source": str(file), "api_url": url, "api_token": "k", "page_size": 2, "workers": 1}
        settings = Settings(output=tmp_path / "out", **given)
        runtime = Runtime(now=Clock(now), disk=LaxDisk(), executor=SerialExecutor(), sleep=lambda _: None)
        result = pipeline.run(settings, runtime=runtime)
    assert result.transform.skipped_by_reason == {"carts": 1}
    assert output_bytes(tmp_path / "out") == fold([Batch(EXPECTED)])


def test_a_copy_of_woocommerce_leaves_out_what_vendors_have_of_an_order() -> None:
    found = re.search(r"<<'END'\n(.*?)\n *END\n", PAGE, re.DOTALL)
    assert found is not None
    body = (files("ordersetl") / "source/builtin/woocommerce.toml").read_bytes() + found[1].encode()
    description = load_description(body, "vendors").description
    assert description.mapping is not None
    skip = description.mapping.skip[-1]
    assert skip.name == "sub_orders"
    kept = [parent for parent in (None, 0, 17) if skip.when.search({"parent_id": parent}) is not True]
    assert kept == [None, 0]
    assert skip.when.search({}) is not True


def test_the_table_lists_the_sources_that_there_are_with_their_variables() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| [^|]* \| ?([^|]*?) ?\|$", PAGE.partition("## Keys")[0], re.MULTILINE
    )
    assert sorted(name for name, _ in rows) == list(list_builtin())
    folder = ROOT / "src" / "ordersetl" / "source" / "builtin"
    for name, variables in rows:
        description = load_description((folder / f"{name}.toml").read_bytes(), name).description
        assert re.findall(r"`(\w+)`", variables) == list(description.variables), name


def test_every_key_is_explained() -> None:
    keys = PAGE.partition("## Keys")[2]
    for name in Description.model_fields:
        assert re.search(rf"`{name}[.`]", keys), name
    parts = ["Request", "Auth", "Window", "Paging", "Errors", "Throttle", "Call", "Variable", "TokenRequest"]
    models = [getattr(model, name) for name in parts]
    models += [mapping.OrderMapping, mapping.ItemMapping, mapping.RefundMapping, mapping.Mapping]
    for table in models:
        for name, field in table.model_fields.items():
            assert re.search(rf"[`.]{field.alias or name}[.`]", keys), f"{table.__name__}.{name}"
