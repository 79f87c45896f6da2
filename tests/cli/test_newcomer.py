"""A newcomer's first hour: each step is a command, and each thing that goes wrong is explained by the next one."""

import re
from pathlib import Path

from console import ordersetl
from webhook import hook

from ordersetl.source.sample import sample_app
from ordersetl.source.server import serve


def test_the_first_hour(tmp_path: Path) -> None:
    with serve(sample_app()) as url, hook() as told:
        made = ordersetl("init", "--source", "generic", "--api-url", url, cwd=tmp_path)
        assert made.code == 0, made.err
        settings = tmp_path / "ordersetl.toml"
        assert url in settings.read_text()

        ran = ordersetl("run", cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert "387 records in 4 pages" in ran.out
        assert ordersetl("check", "--html", "report.html", "--quiet", cwd=tmp_path).code == 0
        assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")
        assert ordersetl("status", "--max-age", "1h", cwd=tmp_path).code == 0

        listed = ordersetl("status", "--quarantine", "--reason", "invalid_items", cwd=tmp_path)
        bad = re.search(r"^(\S+)  invalid_items  (.+)$", listed.out, re.MULTILINE)
        assert bad is not None
        explained = ordersetl("status", "--order", bad[1], cwd=tmp_path)
        assert f"is not in curated, since it was rejected: invalid_items: {bad[2]}" in explained.out

        (tmp_path / "checks").mkdir()
        (tmp_path / "checks/euros_only.sql").write_text(
            "-- We sell in euros.\nSELECT order_id, currency FROM orders WHERE currency <> 'EUR'\n"
        )
        failed = ordersetl("run", cwd=tmp_path, ORDERSETL_NOTIFY_URL=told.url)
        assert failed.code == 3
        assert "euros_only: 223 offending, the first: order_id=" in failed.err
        assert [envelope["error"]["code"] for envelope in told.got] == ["check_failed"]
        assert "euros_only" in ordersetl("status", cwd=tmp_path).out

        (tmp_path / "checks/euros_only.sql").unlink()
        assert ordersetl("run", "--quiet", cwd=tmp_path, ORDERSETL_NOTIFY_URL=told.url).code == 0
        assert [envelope["status"] for envelope in told.got] == ["failed", "ok"]
        assert ordersetl("export", "august.csv", "--since", "2025-08-01", cwd=tmp_path).code == 0
