"""URLs of warehouses: what they say, and what they must not."""

from pathlib import Path

import pytest

from ordersetl.errors import ConfigError
from ordersetl.settings import Settings, load_settings
from ordersetl.warehouse.target import Target, find_target


def target(url: str, **settings: object) -> Target:
    found = find_target(Settings(warehouse=url, **settings))
    assert found is not None
    return found


def test_no_warehouse_is_none() -> None:
    assert find_target(Settings()) is None
    assert find_target(Settings(warehouse=" ")) is None


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("duckdb:///shop.duckdb", "shop.duckdb"),
        ("duckdb:////srv/shop.duckdb", "/srv/shop.duckdb"),
        ("duckdb:///main.duckdb", "main.duckdb"),
    ],
)
def test_a_file_is_relative_or_absolute(url: str, path: str) -> None:
    assert target(url).database == path


def test_a_url_says_where() -> None:
    found = target("postgresql://ana@db.example:5433/shop?schema=sales&prefix=etl_&sslmode=require")
    assert (found.kind, found.host, found.port, found.user) == ("postgresql", "db.example", 5433, "ana")
    assert (found.database, found.options) == ("shop", {"sslmode": "require"})
    assert found.names("orders") == '"sales"."etl_orders"'


def test_the_settings_give_what_the_url_leaves_out() -> None:
    settings = {"warehouse_schema": "sales", "warehouse_prefix": "etl_"}
    assert target("postgresql://db/shop", **settings).names.show("orders") == "sales.etl_orders"
    assert target("postgresql://db/shop?schema=other", **settings).names.show("orders") == "other.etl_orders"
    assert target("postgresql://db/shop").names.show("orders") == "public.orders"
    assert target("duckdb:///x").names.show("orders") == "main.orders"


def test_names_are_quoted() -> None:
    assert target('postgresql://db/shop?schema=a"b; drop').names("orders") == '"a""b; drop"."orders"'


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://db/shop", "mysql is not a warehouse"),
        ("duckdb://shop.duckdb", "it names no file"),
        ("duckdb:///", "it names no file"),
        ("duckdb:///:memory:", "what is in memory is gone with the command"),
        ("duckdb:///./:memory:", "what is in memory is gone with the command"),
        ("duckdb:///x/shop.eu.duckdb?schema=Shop", "Shop has the name of its file shop.eu.duckdb"),
        ("duckdb:///main.duckdb?schema=main_db", "main_db has the name of its file main.duckdb"),
        ("duckdb:///shop.duckdb?schema=Temp", "Temp is a schema of DuckDB's own"),
        ("duckdb:///x?partition=month", "there is no parameter partition for duckdb; there are prefix, schema"),
        ("postgresql://db:x/shop", "Port could not be cast to integer value as 'x'"),
        ("postgresql://db/shop#part", "it has a # in it"),
        ("postgresql://db/shop?partition=year", "partition can be month"),
        ("postgresql://db/shop?prefix=A-", "a prefix is at most"),
        (f"postgresql://db/shop?prefix={'a' * 31}", "a prefix is at most"),
        (f"postgresql://db/shop?schema={'é' * 32}", "a schema has at most 63 bytes"),
    ],
)
def test_what_cannot_be_is_refused(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        target(url)


@pytest.mark.parametrize(
    "url", ["postgresql://ana:s3cret@db/shop", "postgresql://db/shop?password=s3cret", "postgresql://:s3cret@db/shop"]
)
def test_a_password_in_the_url_is_refused_and_not_shown(url: str, tmp_path: Path) -> None:
    config = tmp_path / "ordersetl.toml"
    config.write_text(f'warehouse = "{url}"\n')
    with pytest.raises(ConfigError, match="must hold no password") as raised:
        find_target(load_settings(config))
    assert "s3cret" not in str(raised.value) + raised.value.hint
    assert "ORDERSETL_WAREHOUSE_PASSWORD" in str(raised.value) + raised.value.hint


def test_a_password_keeps_its_blanks_but_not_the_end_of_its_line() -> None:
    found = target("postgresql://db/shop", warehouse_password=" p w \r\n")  # noqa: S106 - of a test
    assert found.password is not None
    assert found.password.get_secret_value() == " p w "
    assert "p w" not in repr(found)
