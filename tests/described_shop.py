"""A small shop whose API no built-in source fits, its description, and runs of the pipeline against it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from lakes import LaxDisk

from ordersetl import pipeline
from ordersetl.results import RunResult
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings

DESCRIPTION = """\
name = "small"
title = "A small shop"
records = "data.sales"

[auth]
kind = "bearer"

[request]
path = "/sales"
params = { from = "${since}", to = "${until}", size = "${page_size}", page = "${page}" }
max_page_size = 500

[window]
precision = "1s"
format = "%Y-%m-%dT%H:%M:%SZ"

[paging]
kind = "page"
end = "total"
total = "data.count"

[[mapping.skip]]
name = "drafts"
when = "state == 'draft'"

[mapping.order]
order_id = "number"
created_at = "placed"
updated_at = "changed"
amount = "total"
currency = "money"
status = "state"
user_id = "buyer.id"

[mapping.items]
list = "lines"
sku = "article"
fallbacks = [{ prefix = "variant", id = "variant" }]
qty = "count"
price = "each"
"""


def sale(number: int, **changes: Any) -> dict[str, Any]:
    """A record of the shop, one a minute; None as a value leaves a member out."""
    time = f"2025-08-20T{number // 60:02}:{number % 60:02}:00Z"
    record = {
        "number": number,
        "placed": time,
        "changed": time,
        "total": "25.00",
        "net": "20.00",
        "money": "EUR",
        "state": "paid",
        "buyer": {"id": f"b{number % 7}"},
        "lines": [{"article": "A", "count": 2, "each": "10.00"}, {"article": "B", "count": 1, "each": "5.00"}],
    }
    return {name: value for name, value in (record | changes).items() if value is not None}


@dataclass
class SmallShop:
    """The shop, and an output of it under ``root``."""

    root: Path
    sales: list[dict[str, Any]] = field(default_factory=list)
    description: str = DESCRIPTION
    now: datetime = datetime(2025, 9, 1, 12, tzinfo=UTC)
    asked: list[httpx.URL] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """A page of the sales that were changed in the window."""
        self.asked.append(request.url)
        asked = request.url.params
        since, until = asked.get("from", ""), asked.get("to", "9")
        chosen = [s for s in self.sales if since <= str(s.get("changed", s.get("placed", ""))) < until]
        size, page = int(asked["size"]), int(asked["page"])
        sent = chosen[(page - 1) * size : page * size]
        return httpx.Response(200, text=json.dumps({"data": {"count": len(chosen), "sales": sent}}))

    def settings(self, **changes: Any) -> Settings:
        """Settings of a command: the description is beside the output."""
        path = self.root / "small.toml"
        path.write_text(self.description, encoding="utf-8")
        given = {"output": self.root / "output", "api_url": "https://small.example", "api_token": "SECRET"}
        return Settings(**{**given, "source": str(path), **changes})

    def runtime(self) -> Runtime:
        """What the commands run in: answers of the shop, and no waits."""
        return Runtime(
            now=lambda: self.now, transport=httpx.MockTransport(self.answer), disk=LaxDisk(), sleep=lambda _: None
        )

    def run(self, **changes: Any) -> RunResult:
        """One run of the whole pipeline."""
        return pipeline.run(self.settings(**changes), runtime=self.runtime())

    def curated(self, column: str) -> list[str]:
        """Values of a column of fact_order, over all days."""
        values = []
        for path in sorted((self.root / "output/curated").glob("dt=*/fact_order.csv")):
            header, *rows = path.read_text("utf-8").splitlines()
            at = header.split(",").index(column)
            values += [row.split(",")[at] for row in rows]
        return values
