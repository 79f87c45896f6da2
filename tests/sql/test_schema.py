"""schema.py, both DDLs, the views, the CSV header and the data dictionary state one schema, and the examples run."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import sqlglot
from sqlglot import exp

from ordersetl.resources import locate
from ordersetl.star.schema import DIM_PRODUCT, DIM_USER, FACT_ORDER, FACT_REFUND, TABLES, Table
from ordersetl.transform.models import ORDER_REASONS
from ordersetl.transform.order_lines import LINE_REASONS

SQL = locate("sql")
REDSHIFT_DDL = SQL.joinpath("redshift-ddl.sql").read_text(encoding="utf-8")
DUCKDB_DDL = SQL.joinpath("duckdb-ddl.sql").read_text(encoding="utf-8")
VIEWS = SQL.joinpath("views.sql").read_text(encoding="utf-8")
DICTIONARY = Path(__file__).parents[2].joinpath("docs", "data-dictionary.md").read_text(encoding="utf-8")

REASONS = {
    "order": [
        "not_an_object",
        "missing_order_id",
        "invalid_order_id",
        "too_deep",
        "missing_created_at",
        "invalid_created_at",
        "invalid_updated_at",
        "invalid_user_id",
        "invalid_amount",
        "no_items",
        "invalid_items",
        "no_valid_items",
        "missing_amount",
        "invalid_discount",
        "invalid_tax",
        "invalid_shipping",
        "invalid_refund",
        "invalid_cancelled_at",
    ],
    "line": [
        "invalid_item",
        "missing_sku",
        "invalid_sku",
        "invalid_qty",
        "invalid_price",
        "invalid_discount",
        "invalid_tax",
    ],
}
QUARANTINE_FIELDS = ["batch", "page", "index", "line", "order_id", "scope", "reason", "detail", "time", "record"]
ForeignKey = tuple[tuple[str, ...], str, tuple[str, ...]]
"""The columns, the table that they refer to, and its columns."""

FOREIGN_KEYS: dict[str, set[ForeignKey]] = {
    "fact_order": {(("user_id",), "dim_user", ("user_id",)), (("sku",), "dim_product", ("sku",))},
    "fact_refund": set(),
    "dim_user": set(),
    "dim_product": set(),
}
ORDERS_COLUMNS = [
    *("order_id", "user_id", "currency", "order_amount", "lines", "qty", "created_at_order", "updated_at_order"),
    *("status", "source", "promo", "user_country", "gross_amount", "discount_amount", "tax_amount", "shipping_amount"),
    *("refunded_amount", "cancelled", "cancelled_amount", "net_sales", "dt"),
]
STAGED = {table.name: f"{table.name}_stage" for table in (FACT_ORDER, FACT_REFUND)}

# The encodings that Redshift has for each type, of those that this schema uses types of; sqlglot takes any word.
_TEXT = {"RAW", "LZO", "ZSTD", "BYTEDICT", "RUNLENGTH", "TEXT255", "TEXT32K"}
_NUMBER = {"RAW", "AZ64", "LZO", "ZSTD", "BYTEDICT", "RUNLENGTH", "DELTA", "DELTA32K"}
ENCODINGS = {
    "VARCHAR(255)": _TEXT,
    "DECIMAL(18,4)": _NUMBER | {"MOSTLY8", "MOSTLY16", "MOSTLY32"},
    "TIMESTAMP": _NUMBER,
    "DATE": _NUMBER,
    "BOOLEAN": {"RAW", "ZSTD", "RUNLENGTH"},
}


# What a CREATE TABLE says, in terms that both databases share ------------------------------------------------------


@dataclass(frozen=True)
class Stated:
    """A table as a DDL states it. Each column is its name, its type and whether it takes null.

    The key is UNIQUE in place of PRIMARY where a column of it takes null.
    """

    columns: list[tuple[str, str, bool]]
    key: tuple[str, ...]
    foreign_keys: set[ForeignKey]


@dataclass(frozen=True)
class Placement:
    """Where Redshift puts a table's rows."""

    diststyle: str
    distkey: str | None
    sortkey: list[str]


def expected(table: Table, *, text: str, with_dt: bool = True) -> list[tuple[str, str, bool]]:
    columns = [(c.name, text if c.type == "VARCHAR" else str(c.type), c.nullable) for c in table.columns]
    return [*columns, ("dt", "DATE", False)] if with_dt and table.name in STAGED else columns


def names_in(nodes: list[exp.Expr]) -> tuple[str, ...]:
    return tuple(n.name for n in nodes)


def read_redshift_column(node: exp.ColumnDef) -> tuple[str, str, bool]:
    """Return the column; fail on an attribute or encoding that Redshift might not know."""
    kind = node.args["kind"].sql(dialect="redshift").replace(", ", ",")
    nullable = True
    encodings = []
    for constraint in node.constraints:
        match constraint.kind:
            case exp.NotNullColumnConstraint() as c if not c.args.get("allow_null"):
                nullable = False
            case exp.EncodeColumnConstraint() as c:
                encodings.append(c.this.name.upper())
            case c:
                pytest.fail(f"{node.name}: {c!r} is not allowed here")
    assert len(encodings) == 1, f"{node.name}: exactly one ENCODE, not {encodings}"
    assert encodings[0] in ENCODINGS[kind], f"{node.name}: no encoding {encodings[0]} for {kind}"
    return node.name, kind, nullable


def read_redshift_table(create: exp.Create) -> tuple[str, Stated, Placement]:
    assert create.kind == "TABLE"
    assert create.args.get("exists"), "IF NOT EXISTS lets the file run again"
    columns: list[tuple[str, str, bool]] = []
    key: tuple[str, ...] = ()
    foreign_keys: set[ForeignKey] = set()
    for node in create.this.expressions:
        match node:
            case exp.ColumnDef():
                columns.append(read_redshift_column(node))
            case exp.PrimaryKey():
                key = names_in(node.expressions)
            case exp.UniqueColumnConstraint():
                key = names_in(node.this.expressions)
            case exp.ForeignKey():
                target = node.args["reference"].this
                foreign_keys.add((names_in(node.expressions), target.this.name, names_in(target.expressions)))
            case _:
                pytest.fail(f"{node!r} is not allowed in a table")
    placement: dict[str, Any] = {"diststyle": "", "distkey": None, "sortkey": []}
    for node in create.args["properties"].expressions:
        match node:
            case exp.DistStyleProperty():
                placement["diststyle"] = node.name.upper()
            case exp.DistKeyProperty():
                placement["distkey"] = node.name
            case exp.SortKeyProperty() if node.args.get("compound"):
                placement["sortkey"] = [n.name for n in node.this]
            case _:
                pytest.fail(f"{node!r} is not allowed after a table")
    return create.this.this.name, Stated(columns, key, foreign_keys), Placement(**placement)


def read_redshift_ddl(ddl: str) -> dict[str, tuple[Stated, Placement]]:
    tables = {}
    for statement in parse(ddl, dialect="redshift"):
        assert isinstance(statement, exp.Create), f"not a CREATE TABLE: {statement!r}"
        name, stated, placement = read_redshift_table(statement)
        tables[name] = (stated, placement)
    return tables


def parse(sql: str, *, dialect: str) -> list[exp.Expr]:
    """Return the statements; comments that end the text count as none."""
    return [s for s in sqlglot.parse(sql, read=dialect) if s and not isinstance(s, exp.Semicolon)]


def read_duckdb_table(con: duckdb.DuckDBPyConnection, name: str) -> Stated:
    columns = con.execute(
        "SELECT column_name, data_type, is_nullable FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
        [name],
    ).fetchall()
    keys = con.execute(
        "SELECT constraint_column_names FROM duckdb_constraints()"
        " WHERE table_name = ? AND constraint_type IN ('PRIMARY KEY', 'UNIQUE')",
        [name],
    ).fetchall()
    foreign_keys = con.execute(
        "SELECT constraint_column_names, referenced_table, referenced_column_names FROM duckdb_constraints()"
        " WHERE table_name = ? AND constraint_type = 'FOREIGN KEY'",
        [name],
    ).fetchall()
    assert len(keys) == 1
    return Stated(
        [(column, kind, nullable) for column, kind, nullable in columns],
        tuple(keys[0][0]),
        {(tuple(own), target, tuple(theirs)) for own, target, theirs in foreign_keys},
    )


def examples(sql: str, fence: str) -> list[str]:
    """Return the fenced blocks of an SQL file's comments, uncommented."""
    blocks = re.findall(rf"^-- ```{fence}\n(.*?)^-- ```$", sql, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(r"^-- ?", "", block, flags=re.MULTILINE) for block in blocks]


# A small shop ------------------------------------------------------------------------------------------------------

CREATED = dt.datetime(2025, 8, 20, 15, 23, 10)  # noqa: DTZ001 - the tables hold naive UTC
UPDATED = dt.datetime(2025, 8, 20, 16, 0, 0, 250)  # noqa: DTZ001 - likewise
DAY_2 = dt.datetime(2025, 8, 21)  # noqa: DTZ001 - likewise
DAY_3 = dt.datetime(2025, 8, 22, 23, 30)  # noqa: DTZ001 - likewise

USERS = [("u_1", "ana@example.com", "ES", dt.date(2024, 11, 5), False), ("u_9", None, None, None, True)]
PRODUCTS = [("007", 'Mug "XL", blue', "kitchen", Decimal("65.0000"), False), ("p_2", None, None, None, True)]
# In o_1 every column of the first row has a value of its own: a loader that swaps two columns cannot pass.
FACTS: list[tuple[Any, ...]] = [
    (
        *("o_1", "007", "u_1", Decimal("2.0000"), Decimal("60.0000"), Decimal("120.0000"), Decimal("125.5000")),
        *(Decimal("115.8462"), "USD", CREATED, UPDATED, "paid", "api", "SUMMER", "ES", "Mug", "kitchen"),
        *(Decimal("65.0000"), Decimal("4.0000"), Decimal("1.0000"), Decimal("8.5000"), Decimal("15.8462"), False),
    ),
    (
        *("o_1", "p_2", "u_1", Decimal("1.5000"), Decimal("6.6667"), Decimal("10.0000"), Decimal("125.5000")),
        *(Decimal("9.6538"), "USD", CREATED, UPDATED, "paid", "api", "SUMMER", "ES", None, None, None),
        *(Decimal("1.0000"), Decimal("0.2500"), Decimal("0.7500"), Decimal("2.1538"), False),
    ),
    (
        *("o_2", "p_2", None, Decimal("3.0000"), None, None, Decimal("9.0000"), Decimal("9.0000")),
        *(None, DAY_2, DAY_2, None, None, None, None, None, None, None, None, None, None, Decimal("1.0000"), True),
    ),
]
REFUNDS: list[tuple[Any, ...]] = [
    ("o_1", "r_1", None, None, Decimal("-2.0000"), "USD", DAY_3),
    ("o_1", "r_1", "007", Decimal("1.0000"), Decimal("20.0000"), "USD", DAY_3),
    ("o_2", "r_2", None, None, Decimal("1.0000"), None, DAY_2),
]


def frame(table: Table, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=table.schema, orient="row")


def day_of(fact: tuple[Any, ...]) -> dt.date:
    created: dt.datetime = fact[FACT_ORDER.names.index("created_at_order")]
    return created.date()


def write_curated(folder: Path, facts: list[tuple[Any, ...]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    days: dict[dt.date, list[tuple[Any, ...]]] = {}
    for fact in facts:
        days.setdefault(day_of(fact), []).append(fact)
    tables = {f"dt={day}/fact_order.csv": frame(FACT_ORDER, rows) for day, rows in days.items()}
    for day, rows in days.items():
        refunds = [refund for refund in REFUNDS if refund[0] in {row[0] for row in rows}]
        tables[f"fact_refund/dt={day}/fact_refund.csv"] = frame(FACT_REFUND, refunds)
    tables |= {"dim_user.csv": frame(DIM_USER, USERS), "dim_product.csv": frame(DIM_PRODUCT, PRODUCTS)}
    for path, table in tables.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        table.write_csv(folder / path, datetime_format="%Y-%m-%d %H:%M:%S%.6f")


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(DUCKDB_DDL)
        yield connection


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    con.executemany("INSERT INTO dim_user VALUES (?, ?, ?, ?, ?)", USERS)
    con.executemany("INSERT INTO dim_product VALUES (?, ?, ?, ?, ?)", PRODUCTS)
    marks = ", ".join("?" * (len(FACT_ORDER.columns) + 1))
    con.executemany(f"INSERT INTO fact_order VALUES ({marks})", [(*f, day_of(f)) for f in FACTS])
    days = {f[0]: day_of(f) for f in FACTS}
    con.executemany("INSERT INTO fact_refund VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [(*r, days[r[0]]) for r in REFUNDS])
    con.execute(VIEWS)
    return con


# The DDLs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_redshift_states_the_schema(table: Table) -> None:
    stated, _ = read_redshift_ddl(REDSHIFT_DDL)[table.name]
    assert stated == Stated(expected(table, text="VARCHAR(255)"), table.key, FOREIGN_KEYS[table.name])


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_duckdb_states_the_schema(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    assert read_duckdb_table(con, table.name) == Stated(
        expected(table, text="VARCHAR"), table.key, FOREIGN_KEYS[table.name]
    )


def test_neither_ddl_has_more_tables(con: duckdb.DuckDBPyConnection) -> None:
    names = {t.name for t in TABLES}
    assert {row[0] for row in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()} == names
    assert read_redshift_ddl(REDSHIFT_DDL).keys() == names | set(STAGED.values())


@pytest.mark.parametrize("table", [FACT_ORDER, FACT_REFUND], ids=lambda t: t.name)
def test_staging_table_has_the_columns_of_the_file_in_its_order(table: Table) -> None:
    stated, _ = read_redshift_ddl(REDSHIFT_DDL)[STAGED[table.name]]
    assert stated.columns == expected(table, text="VARCHAR(255)", with_dt=False)


def test_dimensions_come_before_the_fact_that_refers_to_them() -> None:
    order = list(read_redshift_ddl(REDSHIFT_DDL))
    assert order.index("fact_order") > max(order.index("dim_user"), order.index("dim_product"))


@pytest.mark.parametrize("name", [*(t.name for t in TABLES), *STAGED.values()])
def test_redshift_rows_are_placed_by_columns_that_exist(name: str) -> None:
    stated, placement = read_redshift_ddl(REDSHIFT_DDL)[name]
    columns = {column for column, _, _ in stated.columns}
    assert placement.sortkey
    assert set(placement.sortkey) <= columns
    if placement.diststyle == "KEY":
        assert placement.distkey in columns
    else:
        assert (placement.diststyle, placement.distkey) == ("ALL", None)


@pytest.mark.parametrize(("fact", "staging"), STAGED.items())
def test_fact_is_sorted_by_day_and_shares_its_distribution_with_the_staging_table(fact: str, staging: str) -> None:
    tables = read_redshift_ddl(REDSHIFT_DDL)
    assert tables[fact][1] == Placement("KEY", "order_id", ["dt", "order_id"])
    assert tables[staging][1].distkey == "order_id"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("email VARCHAR(255) ENCODE ZSTD", "email VARCHAR(255) ENCODE BANANA"),
        ("email VARCHAR(255) ENCODE ZSTD", "email VARCHAR(255) ENCODE AZ64"),
        ("email VARCHAR(255) ENCODE ZSTD", "email VARCHAR(255)"),
        ("email VARCHAR(255) ENCODE ZSTD", "email VARCHAR(255) ENCODE ZSTD UNIQUE"),
        ("DISTSTYLE ALL", "DISTSTYLE ALL ENCODE AUTO"),
        ("COMPOUND SORTKEY (user_id)", "SORTKEY (user_id)"),
    ],
)
def test_the_allow_list_refuses_what_the_parser_lets_pass(right: str, wrong: str) -> None:
    assert right in REDSHIFT_DDL
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        read_redshift_ddl(REDSHIFT_DDL.replace(right, wrong))


def test_both_ddls_can_run_again(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute(DUCKDB_DDL)
    shop.execute(VIEWS)
    assert shop.execute("SELECT COUNT(*) FROM fact_order").fetchone() == (len(FACTS),)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("INSERT INTO dim_user SELECT * FROM dim_user LIMIT 1", "primary key"),
        ("INSERT INTO fact_order SELECT * FROM fact_order LIMIT 1", "primary key"),
        ("INSERT INTO dim_user VALUES ('u_2', NULL, NULL, NULL, NULL)", "NOT NULL"),
        ("INSERT INTO fact_order SELECT * REPLACE ('o_3' AS order_id, 'no' AS user_id) FROM fact_order", "foreign key"),
        ("INSERT INTO fact_order SELECT * REPLACE ('o_3' AS order_id, 'no' AS sku) FROM fact_order", "foreign key"),
        ("INSERT INTO fact_refund SELECT * FROM fact_refund WHERE sku IS NOT NULL", "unique"),
    ],
)
def test_duckdb_refuses_what_breaks_the_model(shop: duckdb.DuckDBPyConnection, statement: str, constraint: str) -> None:
    with pytest.raises(duckdb.ConstraintException, match=f"(?i){constraint}"):
        shop.execute(statement)


# The files and their loading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_csv_header_is_the_column_order_of_every_reader(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    header = frame(table, []).write_csv().strip().split(",")
    staged = STAGED.get(table.name, table.name)
    assert header == [name for name, _, _ in read_redshift_ddl(REDSHIFT_DDL)[staged][0].columns]
    assert header == [name for name, _, _ in read_duckdb_table(con, table.name).columns if name != "dt"]


def test_duckdb_example_types_every_column() -> None:
    (load,) = examples(DUCKDB_DDL, "sql")
    typed = [
        dict(re.findall(r"'(\w+)': '([^']+)'", columns))
        for columns in re.findall(r"columns = {(.*?)}", load, re.DOTALL)
    ]
    assert typed == [table.duckdb_columns for table in (DIM_USER, DIM_PRODUCT, FACT_ORDER, FACT_REFUND)]


def test_duckdb_example_loads_the_curated_files_again_and_again(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (load,) = examples(DUCKDB_DDL, "sql")
    write_curated(tmp_path / "curated", [*FACTS, ("o_9", *FACTS[2][1:])])
    con.execute(load)
    write_curated(tmp_path / "curated", FACTS)
    con.execute(load)
    by_key = "ORDER BY ALL"
    assert con.execute(f"SELECT * FROM dim_user {by_key}").fetchall() == USERS
    assert con.execute(f"SELECT * FROM dim_product {by_key}").fetchall() == PRODUCTS
    assert con.execute(f"SELECT * EXCLUDE (dt) FROM fact_order {by_key}").fetchall() == FACTS
    refunds = con.execute("SELECT * EXCLUDE (dt) FROM fact_refund ORDER BY order_id, refund_id, sku NULLS FIRST")
    assert refunds.fetchall() == REFUNDS


def test_redshift_example_inserts_every_column_in_one_transaction() -> None:
    load, _ = examples(REDSHIFT_DDL, "sql")
    begin, lock, *work, commit = parse(load, dialect="redshift")
    assert isinstance(begin, exp.Transaction)
    assert lock.sql() == "LOCK fact_order_stage"
    assert isinstance(commit, exp.Commit)
    inserts = [w for w in work if isinstance(w, exp.Insert)]
    for insert, table in zip(inserts, (FACT_ORDER, FACT_REFUND), strict=True):
        assert [c.name for c in insert.this.expressions] == [*table.names, "dt"]
        assert [c.name for c in insert.expression.expressions] == [*table.names, "dt"]


def test_redshift_example_replaces_whole_orders_and_whole_days(shop: duckdb.DuckDBPyConnection) -> None:
    load, _ = examples(REDSHIFT_DDL, "sql")
    for name in ("fact_order", "fact_refund"):
        shop.execute(f"CREATE TABLE {name}_stage AS SELECT * EXCLUDE (dt) FROM {name} WHERE order_id = 'o_1'")
    # o_1 moves to the day of o_2, which has left, and so have its second line and its refunds
    shop.execute("DELETE FROM fact_order_stage WHERE sku = 'p_2'")
    shop.execute("DELETE FROM fact_refund_stage")
    shop.execute("UPDATE fact_order_stage SET created_at_order = ?", [DAY_2])
    work = [w for w in parse(load, dialect="redshift") if not isinstance(w, exp.Copy | exp.Command | exp.Alias)]
    for statement in (w.sql(dialect="duckdb") for w in work):
        if not re.match(r"LOCK|DELETE FROM (dim_|\w+_stage)", statement):
            shop.execute(statement)
    assert shop.execute("SELECT order_id, sku, dt FROM fact_order").fetchall() == [("o_1", "007", DAY_2.date())]
    assert shop.execute("SELECT * FROM fact_refund").fetchall() == []


def test_redshift_copies_say_how_the_files_are_written() -> None:
    load, _ = examples(REDSHIFT_DDL, "sql")
    copies = {m[1]: m[0] for m in re.finditer(r"COPY (\w+)\nFROM '[^']+' IAM_ROLE DEFAULT[^;]*;", load)}
    assert copies.keys() == {"dim_user", "dim_product", *STAGED.values()}
    for copy in copies.values():
        for option in ("FORMAT CSV", "IGNOREHEADER 1", "EMPTYASNULL", "TIMEFORMAT 'auto'", "DATEFORMAT 'YYYY-MM-DD'"):
            assert option in copy
    assert all(" MANIFEST\n" in copies[staging] for staging in STAGED.values())


def test_external_table_has_the_columns_of_the_file_and_dt_from_the_path() -> None:
    (spectrum,) = examples(REDSHIFT_DDL, "spectrum")
    # No parser here knows Spectrum's DDL; but for this word it is Hive's.
    creates = parse(spectrum.replace("TABLE PROPERTIES", "TBLPROPERTIES"), dialect="hive")
    for create, table in zip(creates, (FACT_ORDER, FACT_REFUND), strict=True):
        assert isinstance(create, exp.Create)
        assert [(c.name, c.kind.sql(dialect="hive")) for c in create.this.expressions] == [
            (name, "VARCHAR(255)") for name in table.names
        ]
        partition = create.find(exp.PartitionedByProperty)
        assert partition is not None
        assert partition.this.sql(dialect="hive") == "(dt DATE)"
    _, use = examples(REDSHIFT_DDL, "sql")
    assert [type(s) for s in parse(use, dialect="redshift")] == [exp.Alter, exp.Select]


# The views ---------------------------------------------------------------------------------------------------------


def test_orders_has_one_row_per_order(shop: duckdb.DuckDBPyConnection) -> None:
    orders = shop.execute("SELECT * FROM orders ORDER BY order_id")
    assert [column[0] for column in orders.description or []] == ORDERS_COLUMNS
    assert orders.fetchall() == [
        (
            *("o_1", "u_1", "USD", Decimal("125.5000"), 2, Decimal("3.5000"), CREATED, UPDATED),
            *("paid", "api", "SUMMER", "ES", *map(Decimal, ("130.0", "5.0", "1.25", "9.25", "18.0")), False),
            *(Decimal(0), Decimal("107.5"), CREATED.date()),
        ),
        (
            *("o_2", None, None, Decimal("9.0000"), 1, Decimal("3.0000"), DAY_2, DAY_2, *[None] * 8, Decimal(1), True),
            *(Decimal(8), Decimal(0), DAY_2.date()),
        ),
    ]


def test_summing_orders_or_shares_gives_the_same_revenue(shop: duckdb.DuckDBPyConnection) -> None:
    by_order = shop.execute("SELECT SUM(order_amount) FROM orders").fetchone()
    by_line = shop.execute("SELECT SUM(net_amount) FROM orders_enriched").fetchone()
    assert by_order == by_line == (Decimal("134.5000"),)


def test_refunds_have_their_own_day_and_that_of_their_order(shop: duckdb.DuckDBPyConnection) -> None:
    columns = "refund_id, sku, refund_amount, refund_day, dt, user_id, user_country, product_category"
    refunds = f"SELECT {columns} FROM refunds ORDER BY refund_id, sku NULLS FIRST"
    day, of_order = DAY_3.date(), CREATED.date()
    assert shop.execute(refunds).fetchall() == [
        ("r_1", None, Decimal(-2), day, of_order, "u_1", "ES", None),
        ("r_1", "007", Decimal(20), day, of_order, "u_1", "ES", "kitchen"),
        ("r_2", None, Decimal(1), DAY_2.date(), DAY_2.date(), None, None, None),
    ]
    shop.execute(VIEWS.replace("AT TIME ZONE 'UTC' AS DATE", "AT TIME ZONE 'Europe/Berlin' AS DATE"))
    assert shop.execute(refunds).fetchall()[0][3] == dt.date(2025, 8, 23)


def test_sales_by_day_lead_from_gross_to_net(shop: duckdb.DuckDBPyConnection) -> None:
    sales = shop.execute("SELECT * FROM sales_by_day ORDER BY day, currency")
    names = [column[0] for column in sales.description or []]
    assert names == [
        *("day", "currency", "orders", "gross_amount", "discount_amount", "tax_amount", "shipping_amount"),
        *("other_amount", "amount", "cancelled_amount", "refunded_amount", "net_sales"),
    ]
    found = [(*row[:3], *map(float, row[3:])) for row in sales.fetchall()]
    assert found == [
        (CREATED.date(), "USD", 1, 130.0, 5.0, 1.25, 9.25, -10.0, 125.5, 0.0, 0.0, 125.5),
        (DAY_2.date(), None, 1, 0.0, 0.0, 0.0, 0.0, 9.0, 9.0, 8.0, 1.0, 0.0),
        (DAY_3.date(), "USD", 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 18.0, -18.0),
    ]
    by_order = shop.execute("SELECT currency, SUM(net_sales) FROM orders GROUP BY currency ORDER BY 1").fetchall()
    by_day = shop.execute("SELECT currency, SUM(net_sales) FROM sales_by_day GROUP BY currency ORDER BY 1").fetchall()
    assert by_order == by_day


def test_enriched_lines_carry_what_the_dimensions_say(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("UPDATE dim_user SET country = 'PT' WHERE user_id = 'u_1'")
    lines = shop.execute(
        "SELECT order_id, sku, net_amount, user_country, created_at_user, user_inferred,"
        " product_name, product_category, list_price, product_inferred, dt FROM orders_enriched ORDER BY order_id, sku"
    ).fetchall()
    user = ("PT", dt.date(2024, 11, 5), False)
    assert lines == [
        ("o_1", "007", Decimal("115.8462"), *user, *PRODUCTS[0][1:], CREATED.date()),
        ("o_1", "p_2", Decimal("9.6538"), *user, *PRODUCTS[1][1:], CREATED.date()),
        ("o_2", "p_2", Decimal("9.0000"), None, None, None, *PRODUCTS[1][1:], DAY_2.date()),
    ]


def test_enriched_lines_have_every_fact_column_and_no_email(shop: duckdb.DuckDBPyConnection) -> None:
    enriched = shop.execute("SELECT * FROM orders_enriched")
    columns = [column[0] for column in enriched.description or []]
    assert {*FACT_ORDER.names, "dt"} <= set(columns)
    assert len(enriched.fetchall()) == len(FACTS)
    assert "email" not in columns


def test_views_are_the_same_sql_to_all_three_databases() -> None:
    statements = parse(VIEWS, dialect="redshift")
    assert [s.this.name for s in statements] == ["orders", "orders_enriched", "refunds", "sales_by_day"]
    for dialect in ("duckdb", "postgres"):
        for ours, theirs in zip(parse(VIEWS, dialect=dialect), statements, strict=True):
            assert isinstance(theirs, exp.Create)
            assert theirs.kind == "VIEW"
            assert ours.sql(dialect="redshift") == theirs.sql(dialect="redshift")


def test_views_use_only_functions_that_all_three_databases_have() -> None:
    used = {type(f) for s in parse(VIEWS, dialect="redshift") for f in s.find_all(exp.Func)}
    assert {f for f in used if f not in {exp.And, exp.Case, exp.If, exp.Cast}} == {
        *(exp.Max, exp.Sum, exp.Count, exp.Coalesce, exp.LogicalOr)
    }


# The data dictionary -----------------------------------------------------------------------------------------------


def section(heading: str) -> str:
    """Return the text below a heading, up to the next one."""
    found = re.search(rf"^#+ {heading}\n(.*?)(?=^#+ |\Z)", DICTIONARY, flags=re.MULTILINE | re.DOTALL)
    assert found, f"docs/data-dictionary.md has no section {heading}"
    return found[1]


def documented(heading: str) -> list[list[str]]:
    """Return the cells of a section's table rows whose first cell is code."""
    rows = re.findall(r"^\| `.*\|$", section(heading), flags=re.MULTILINE)
    return [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_dictionary_describes_each_column_of_the_tables(table: Table) -> None:
    rows = documented(table.name)
    assert [(name, kind, null != "never") for name, kind, null, *_ in rows] == expected(table, text="VARCHAR")
    assert all(cell for row in rows for cell in row), "every cell says something"
    assert "**Grain:**" in section(table.name)


@pytest.mark.parametrize("view", ["orders", "orders_enriched", "refunds", "sales_by_day"])
def test_dictionary_describes_each_column_of_the_views(shop: duckdb.DuckDBPyConnection, view: str) -> None:
    columns = shop.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", [view]
    ).fetchall()
    assert [(name, kind) for name, kind, *_ in documented(view)] == columns


def test_dictionary_explains_every_reason_in_the_order_of_validation() -> None:
    rows = documented("Quarantine")
    fields, reasons = rows[: len(QUARANTINE_FIELDS)], rows[len(QUARANTINE_FIELDS) :]
    assert [name for name, *_ in fields] == QUARANTINE_FIELDS
    assert [(reason, scope) for reason, scope, _ in reasons] == [(r, s) for s, codes in REASONS.items() for r in codes]
    assert all(meaning for *_, meaning in reasons)


def test_the_reasons_are_those_that_the_payload_models_give() -> None:
    assert {"order": list(ORDER_REASONS), "line": list(LINE_REASONS)} == REASONS


def test_dictionary_queries_work_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_curated(tmp_path / "output" / "curated", FACTS)
    quarantine = tmp_path / "output" / "quarantine" / "20250823T101500.123456Z.ndjson"
    quarantine.parent.mkdir()
    quarantine.write_text('{"scope": "order", "reason": "no_items", "record": {"items": []}}\n', encoding="utf-8")
    (setup,) = re.findall(r"^```python\n(.*?)^```$", DICTIONARY, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(setup, names)  # noqa: S102 - the snippet is the project's own documentation
    with names["con"] as con:
        answers = [
            con.execute(query).fetchall()
            for query in re.findall(r"^```sql\n(.*?)^```$", DICTIONARY, flags=re.MULTILINE | re.DOTALL)
        ]
    per_day, sales, per_category, per_currency, rejected = answers
    assert per_day == [
        (CREATED.date(), "USD", Decimal("125.5000"), 1),
        (DAY_2.date(), None, Decimal("9.0000"), 1),
    ]
    assert [(day, net) for day, *_, net in sales] == [
        (CREATED.date(), Decimal("125.5000")),
        (DAY_2.date(), Decimal(0)),
        (DAY_3.date(), Decimal(-18)),
    ]
    assert per_category == [
        ("kitchen", "USD", Decimal("115.8462"), Decimal("2.0000")),
        (None, "USD", Decimal("9.6538"), Decimal("1.5000")),
        (None, None, Decimal("9.0000"), Decimal("3.0000")),
    ]
    assert per_currency == [("USD", Decimal("125.5000")), (None, Decimal("9.0000"))]
    assert rejected == [("order", "no_items", 1)]
