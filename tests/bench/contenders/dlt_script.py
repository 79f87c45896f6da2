"""The same orders with dlt's REST source: merged into DuckDB, or appended to files (where dlt has no merge).

python tests/bench/contenders/dlt_script.py --api-url URL --destination duckdb|filesystem --out DIR
"""

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")

import dlt
from dlt.destinations import duckdb, filesystem
from dlt.extract import DltSource
from dlt.sources.rest_api import rest_api_source


def has_key(order: Any) -> bool:
    """dlt stops at a record without its key: leave those out."""
    return isinstance(order, dict) and isinstance(order.get("order_id"), str)


def orders_source(api_url: str, write_disposition: str) -> DltSource:
    source: DltSource = rest_api_source(
        {
            "client": {
                "base_url": api_url,
                "paginator": {"type": "cursor", "cursor_path": "next_cursor", "cursor_param": "cursor"},
            },
            "resources": [
                {
                    "name": "orders",
                    "primary_key": "order_id",
                    "write_disposition": write_disposition,
                    "endpoint": {"path": "orders", "params": {"limit": 1000}, "data_selector": "orders"},
                    "processing_steps": [{"filter": has_key}],
                }
            ],
        }
    )
    return source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--api-url", required=True)
    parser.add_argument("--destination", choices=("duckdb", "filesystem"), required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True)
    merged = args.destination == "duckdb"
    pipeline = dlt.pipeline(
        pipeline_name="orders",
        pipelines_dir=str(args.out / "pipelines"),
        destination=duckdb(str(args.out / "orders.duckdb")) if merged else filesystem(str(args.out / "files")),
        dataset_name="shop",
    )
    pipeline.run(orders_source(args.api_url, "merge" if merged else "append")).raise_on_failed_jobs()


if __name__ == "__main__":
    main()
