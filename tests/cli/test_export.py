"""``export`` at the command line."""

from pathlib import Path

from console import ordersetl


def test_a_month_in_a_file(shop: Path) -> None:
    ended = ordersetl("export", "august.csv", "--since", "2025-08-01", "--until", "2025-09-01", cwd=shop)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("august.csv: 282 rows of orders, ")
    assert len((shop / "august.csv").read_text().splitlines()) == 283
    data = ordersetl("export", "days", "--format", "parquet", "--table", "sales_by_day", "--json", cwd=shop).json[
        "data"
    ]
    assert (data["table"], data["format"], data["file"], data["since"]) == ("sales_by_day", "parquet", "days", None)
    assert (shop / "days").stat().st_size == data["bytes"]


def test_what_makes_no_sense_is_refused(shop: Path) -> None:
    for arguments in (["x.csv", "--since", "soon"], ["x.doc"], ["x.csv", "--table", "nope"], []):
        ended = ordersetl("export", *arguments, cwd=shop)
        assert (ended.code, ended.out) == (2, ""), arguments
    assert [path.name for path in shop.iterdir()] == ["output"]
