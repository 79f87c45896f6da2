"""The statements of a load as a script, for people who run them themselves: ``load --print-sql``.

What a load would do is recorded, of a warehouse that holds nothing yet: a script knows no ledger, so it loads
everything, as often as it is run.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Literal

from ordersetl.lake.layout import Lake, curated_key
from ordersetl.lake.manifest import Manifest
from ordersetl.resources import locate
from ordersetl.star.schema import Table
from ordersetl.warehouse.connection import CuratedFile, Dialect, Row, stage_name
from ordersetl.warehouse.names import LEDGER, Names, read_definition
from ordersetl.warehouse.postgres_sql import (
    COPY_OPTIONS,
    POSTGRES,
    create_partitions,
    create_stage as create_postgres_stage,
    create_table as create_postgres_table,
)
from ordersetl.warehouse.redshift_sql import REDSHIFT, copy_from, create_copied, create_stage, derive_days
from ordersetl.warehouse.sync import Load
from ordersetl.warehouse.tables import FACTS

__all__ = ["OF_WAREHOUSE", "SCRIPTS", "ScriptKind", "write_script"]

ScriptKind = Literal["postgres", "redshift", "redshift-spectrum"]
SCRIPTS: tuple[ScriptKind, ...] = ("postgres", "redshift", "redshift-spectrum")
OF_WAREHOUSE = {"postgres": "postgresql", "redshift": "redshift", "redshift-spectrum": "redshift"}
"""The kind of warehouse whose URL says where the tables of a script are."""
STAGING = "s3://BUCKET/PREFIX"
"""What stands for the place in S3 where none is set."""


def write_script(
    kind: ScriptKind,
    lake: Lake,
    manifest: Manifest,
    names: Names,
    now: datetime,
    *,
    staging: str = STAGING,
    access: str = "IAM_ROLE DEFAULT",
    by_month: bool = False,
) -> str:
    """The statements of a load of all that curated holds, or of external tables over it.

    Args:
        kind: what takes them: ``psql``, Redshift after the files were copied to S3, or Redshift Spectrum.
        lake: the output.
        manifest: its current one.
        names: where the tables are, or the external schema.
        now: the ledger's time of loading.
        staging: the URL in S3 that curated is copied to.
        access: how Redshift may read it.
        by_month: PostgreSQL has the facts in partitions.
    """
    if kind == "redshift-spectrum":
        return "\n".join(_write_spectrum(manifest, names, staging))
    script = _Script(kind, names, staging.rstrip("/"), access, by_month=by_month)
    script.lines += _HEADS[kind]
    load = Load(script, lake, manifest, now)
    script.execute("BEGIN")
    load.find_work(verify=False)
    script.execute(f"DELETE FROM {names(LEDGER)}")
    load.perform()
    script.execute("COMMIT")
    return "\n".join(script.lines) + "\n"


class _Script:
    """A warehouse that writes down what it is told; it holds nothing, and answers no question."""

    def __init__(
        self, kind: Literal["postgres", "redshift"], names: Names, staging: str, access: str, *, by_month: bool
    ) -> None:
        self.names = names
        self.dialect: Dialect = POSTGRES if kind == "postgres" else REDSHIFT
        self.lines: list[str] = []
        self._kind = kind
        self._staging = staging
        self._access = access
        self._by_month = by_month

    def begin(self) -> None:
        """Nothing: who runs the script begins."""

    def execute(self, statement: str, parameters: Sequence[object] = (), /) -> list[Row]:
        """Write a statement down, its parameters in it."""
        if not statement.startswith("SELECT"):
            for value in parameters:
                statement = statement.replace("%s", _write_literal(value), 1)
            self.lines.append(f"{statement};")
        return []

    def create_table(self, name: str) -> None:
        """Write down how a table of ours is created."""
        if self._kind == "postgres":
            statements = create_postgres_table(name, self.names, by_month=self._by_month)
        else:
            statements = map(self.names.place, read_definition("ledger" if name == LEDGER else "redshift-ddl", name))
        for statement in statements:
            self.execute(statement)

    def stage(self, table: Table, lake: Lake, files: Sequence[CuratedFile], timezone: str) -> None:
        """Write down how the new rows come into their temporary table."""
        (self._stage_postgres if self._kind == "postgres" else self._stage_redshift)(table, lake, files, timezone)

    def _stage_postgres(self, table: Table, lake: Lake, files: Sequence[CuratedFile], _: str) -> None:
        target = stage_name(table.name)
        self.execute(create_postgres_stage(table))
        if self._by_month and table in FACTS:
            for _, statement in create_partitions(table, self.names, [file.day for file in files if file.day]):
                self.execute(statement)
        for file in files:
            if file.day is not None:
                self.execute(f"ALTER TABLE {target} ALTER COLUMN dt SET DEFAULT {_write_literal(file.day)}")
            path = _write_literal(str(lake.locate(file.key).absolute()))
            self.lines.append(f"\\copy {target} ({', '.join(table.names)}) FROM {path} {COPY_OPTIONS}")
        self.execute(f"ANALYZE {target} ({table.key[0]})")

    def _stage_redshift(self, table: Table, lake: Lake, files: Sequence[CuratedFile], timezone: str) -> None:
        del lake
        for statement in [*create_stage(table), *(create_copied(table) if table in FACTS else ())]:
            self.execute(statement)
        if not files:
            return
        manifest = f"{self._staging}/{table.name}.manifest"
        entries = [{"url": f"{self._staging}/{file.key}", "mandatory": True} for file in files]
        self.lines += [f"-- The COPY manifest, to be put at {manifest}:", "/*"]
        self.lines += [json.dumps({"entries": entries}, indent=1), "*/"]
        self.execute(copy_from(table, manifest, access=self._access, region=None))
        if table in FACTS:
            self.execute(derive_days(table, [file.day for file in files if file.day is not None], timezone))

    def commit(self) -> None:
        """Nothing, likewise."""

    def close(self) -> None:
        """Nothing."""


_HEADS = {
    "postgres": [
        "-- A load of the whole curated layer into PostgreSQL, for psql: psql -v ON_ERROR_STOP=1 -f THIS DATABASE",
        "-- One transaction. Run it again after each run of ordersetl, while none is under way.",
        "\\set ON_ERROR_STOP on",
        "\\encoding UTF8",
    ],
    "redshift": [
        "-- A load of the whole curated layer into Amazon Redshift. Bring the files to S3 while no run is under way:",
        "--   aws s3 sync OUTPUT/curated s3://BUCKET/PREFIX/curated --delete --exclude '_*'",
        "-- and the COPY manifests, which stand below in comments. Then run this, in one transaction.",
    ],
}


def _write_spectrum(manifest: Manifest, names: Names, staging: str) -> Iterator[str]:
    """External tables over the curated layout, and their days."""
    ddl = (locate("sql") / "redshift-ddl.sql").read_text("utf-8")
    block = ddl.partition("-- ```spectrum\n")[2].partition("-- ```\n")[0]
    yield "-- External tables over the curated files for Redshift Spectrum. Their schema has to be there:"
    yield f"--   CREATE EXTERNAL SCHEMA {names.quoted_schema} FROM DATA CATALOG DATABASE 'NAME' IAM_ROLE DEFAULT"
    yield "--   CREATE EXTERNAL DATABASE IF NOT EXISTS;"
    yield f"-- Bring the files to S3 first: aws s3 sync OUTPUT/curated {staging}/curated --delete --exclude '_*'"
    text = "\n".join(line.removeprefix("--").removeprefix(" ") for line in block.splitlines())
    yield text.replace("s3://BUCKET/curated/", f"{staging}/curated/").replace("spectrum.", f"{names.quoted_schema}.")
    for file in sorted(manifest.files):
        key, _, name = curated_key(file).rpartition("/")
        table = name.removesuffix(".csv")
        if table not in {fact.name for fact in FACTS}:
            continue
        day = key.rpartition("dt=")[2]
        yield (
            f"ALTER TABLE {names.quoted_schema}.{table}_csv ADD IF NOT EXISTS PARTITION (dt = '{day}')"
            f" LOCATION '{staging}/{key}/';"
        )
    yield ""


def _write_literal(value: object) -> str:
    """A value of ours as SQL has it: a number, a time, or a text without backslashes."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return f"'{value:%Y-%m-%d %H:%M:%S.%f}'"
    text = value.isoformat() if isinstance(value, date) else str(value)
    return "'" + text.replace("'", "''") + "'"
