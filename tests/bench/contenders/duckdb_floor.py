"""The floor: one hand-written DuckDB query from the raw pages to CSV files by day.

    python tests/bench/contenders/duckdb_floor.py --pages DIR --users FILE --products FILE --out DIR

It keeps the latest version of each order, takes the lines apart, joins users and products and writes. What it cannot
read becomes null or goes missing without a word; nothing is merged with what was there before.
"""

import argparse
import json
from pathlib import Path

import duckdb

ORDER_SHAPE = json.dumps(
    {
        "order_id": "VARCHAR",
        "user_id": "VARCHAR",
        "amount": "VARCHAR",
        "currency": "VARCHAR",
        "created_at": "VARCHAR",
        "updated_at": "VARCHAR",
        "status": "VARCHAR",
        "items": [{"sku": "VARCHAR", "qty": "VARCHAR", "price": "VARCHAR"}],
        "metadata": {"source": "VARCHAR", "promo": "VARCHAR"},
    }
)

QUERY = """
COPY (
    WITH records AS (
        SELECT unnest(json_extract(json, '$.orders[*]')) AS record
        FROM read_json_objects('{pages}/*.json', format = 'unstructured')
    ),
    versions AS (
        SELECT
            parsed,
            parsed.order_id AS order_id,
            TRY_CAST(parsed.created_at AS TIMESTAMP) AS created_at,
            coalesce(TRY_CAST(parsed.updated_at AS TIMESTAMP), created_at) AS updated_at
        FROM (SELECT from_json(record, '{shape}') AS parsed FROM records)
    ),
    latest AS (
        SELECT * FROM versions
        WHERE order_id IS NOT NULL AND created_at IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY updated_at DESC) = 1
    ),
    lines AS (
        SELECT order_id, created_at, updated_at, parsed, unnest(parsed.items) AS line FROM latest
    )
    SELECT
        order_id,
        line.sku AS sku,
        parsed.user_id AS user_id,
        TRY_CAST(line.qty AS DECIMAL(18, 4)) AS qty,
        TRY_CAST(line.price AS DECIMAL(18, 4)) AS item_price,
        (TRY_CAST(line.qty AS DECIMAL(9, 4)) * TRY_CAST(line.price AS DECIMAL(9, 4)))::DECIMAL(18, 4) AS line_amount,
        TRY_CAST(parsed.amount AS DECIMAL(18, 4)) AS order_amount,
        upper(parsed.currency) AS currency,
        lines.created_at AS created_at_order,
        lines.updated_at AS updated_at_order,
        parsed.status AS status,
        parsed.metadata.source AS source,
        parsed.metadata.promo AS promo,
        users.country AS user_country,
        products.name AS product_name,
        products.category AS product_category,
        products.price AS list_price,
        CAST(lines.created_at AS DATE) AS dt
    FROM lines
    LEFT JOIN read_csv('{users}') AS users ON users.user_id = parsed.user_id
    LEFT JOIN read_csv('{products}', types = {{'price': 'DECIMAL(18, 4)'}}) AS products ON products.sku = line.sku
    WHERE line.sku IS NOT NULL
) TO '{out}' (FORMAT csv, HEADER, PARTITION_BY (dt), OVERWRITE)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--pages", "--users", "--products", "--out"):
        parser.add_argument(name, type=Path, required=True)
    args = parser.parse_args()
    duckdb.sql(
        QUERY.format(pages=args.pages, users=args.users, products=args.products, out=args.out, shape=ORDER_SHAPE)
    )


if __name__ == "__main__":
    main()
