"""The script people write: orders and two reference files into CSV folders by day, with pandas.

python tests/bench/contenders/pandas_script.py --orders orders.json --users FILE --products FILE --out DIR
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

KEY = ["order_id", "sku"]


def load_orders(path: Path) -> list[Any]:
    with path.open(encoding="utf-8") as file:
        orders: list[Any] = json.load(file)
    return orders


def save_raw(orders: list[Any], out: Path) -> None:
    folder = out / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "orders.json").open("w", encoding="utf-8") as file:
        json.dump(orders, file)


def flatten(orders: list[Any]) -> pd.DataFrame:
    """One row a line."""
    rows = []
    for order in orders:
        if not isinstance(order, dict) or not isinstance(order.get("items"), list):
            continue
        metadata = order.get("metadata")
        if not isinstance(metadata, dict):
            metadata = {}
        for item in order["items"]:
            rows.append(  # noqa: PERF401
                {
                    "order_id": order.get("order_id"),
                    "sku": item.get("sku"),
                    "user_id": order.get("user_id"),
                    "qty": item.get("qty"),
                    "item_price": item.get("price"),
                    "order_amount": order.get("amount"),
                    "currency": order.get("currency"),
                    "created_at_order": order.get("created_at"),
                    "updated_at_order": order.get("updated_at") or order.get("created_at"),
                    "status": order.get("status"),
                    "source": metadata.get("source"),
                    "promo": metadata.get("promo"),
                }
            )
    return pd.DataFrame(rows)


def clean(lines: pd.DataFrame) -> pd.DataFrame:
    """Typed columns, no line without its keys or a date, the latest version of each."""
    for column in ("created_at_order", "updated_at_order"):
        lines[column] = pd.to_datetime(lines[column].astype("string"), format="ISO8601", errors="coerce", utc=True)
    for column in ("qty", "item_price", "order_amount"):
        lines[column] = pd.to_numeric(lines[column], errors="coerce")
    lines = lines.dropna(subset=["order_id", "sku", "created_at_order", "qty"])
    lines = lines[(lines["qty"] > 0) & (lines["order_id"].str.strip() != "")]
    return lines.sort_values("updated_at_order").drop_duplicates(subset=KEY, keep="last")


def enrich(lines: pd.DataFrame, users: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    users = users[["user_id", "country"]].drop_duplicates("user_id", keep="last")
    products = products[["sku", "name", "category", "price"]].drop_duplicates("sku", keep="last")
    lines = lines.merge(users.rename(columns={"country": "user_country"}), on="user_id", how="left")
    names = {"name": "product_name", "category": "product_category", "price": "list_price"}
    lines = lines.merge(products.rename(columns=names), on="sku", how="left")
    lines["line_amount"] = lines["qty"] * lines["item_price"]
    lines["dt"] = lines["created_at_order"].dt.strftime("%Y-%m-%d")
    return lines


def write_days(lines: pd.DataFrame, out: Path) -> None:
    """Merge each day with what its file holds already."""
    for day, new in lines.groupby("dt"):
        path = out / "curated" / f"dt={day}" / "fact_order.csv"
        rows = new.drop(columns="dt")
        if path.exists():
            old = pd.read_csv(path, parse_dates=["created_at_order", "updated_at_order"])
            rows = pd.concat([old, rows]).sort_values("updated_at_order").drop_duplicates(subset=KEY, keep="last")
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.sort_values(KEY).to_csv(path, index=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--orders", "--users", "--products", "--out"):
        parser.add_argument(name, type=Path, required=True)
    args = parser.parse_args()
    orders = load_orders(args.orders)
    save_raw(orders, args.out)
    lines = enrich(clean(flatten(orders)), pd.read_csv(args.users), pd.read_csv(args.products))
    write_days(lines, args.out)


if __name__ == "__main__":
    main()
