"""The mapping of the newest batch counts for all: a corrected one is folded again by itself."""

import hashlib
from pathlib import Path

import pytest
from described_shop import SmallShop, sale

from ordersetl import pipeline
from ordersetl.errors import ConfigError, CorruptedError
from ordersetl.extract import origin
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import read_manifest
from ordersetl.source.description.loading import LoadedDescription, parse_description


@pytest.fixture
def shop(tmp_path: Path) -> SmallShop:
    return SmallShop(tmp_path, [sale(number) for number in range(5)])


def test_a_corrected_mapping_folds_all_again_and_once(shop: SmallShop) -> None:
    first = shop.run()
    assert first.load.orders.inserted == 5
    assert not shop.run().load.rebuilt
    assert set(shop.curated("order_amount")) == {"25.0000"}
    shop.sales.append(sale(7))
    shop.description = shop.description.replace('amount = "total"', 'amount = "net"')
    corrected = shop.run()
    assert corrected.load.rebuilt
    assert set(shop.curated("order_amount")) == {"20.0000"}
    assert len(set(shop.curated("order_id"))) == 6
    assert not shop.run().load.rebuilt
    assert pipeline.check(shop.settings(), deep=True).ok


def test_a_correction_that_is_asked_for_folds_what_came_by_the_description_that_is_refused(
    shop: SmallShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_as_before(body: bytes, where: str) -> LoadedDescription:
        return LoadedDescription(parse_description(body, where, kept=True), body, hashlib.sha256(body).hexdigest())

    shop.sales = [sale(number, placed="20.08.2025", changed=None) for number in range(5)]
    good = shop.description.replace("[mapping.order]", '[mapping]\ntimes = "%d.%m.%Y"\n[mapping.order]')
    shop.description = good.replace("%d.%m.%Y", "%d.%M.%Y").replace("precision", 'earliest = "1900-01-01"\nprecision')
    with monkeypatch.context() as earlier:
        earlier.setattr(origin, "load_description", load_as_before)
        assert shop.run().load.orders.inserted == 5
    with pytest.raises(ConfigError, match=r"earliest must be a time from 1970 .* mapping\.times: writes 2025-03-04"):
        shop.run()
    shop.description = good
    assert shop.run().load.rebuilt
    assert [path.name for path in (shop.root / "output/curated").glob("dt=*")] == ["dt=2025-08-20"]
    assert not shop.run().load.rebuilt
    assert pipeline.check(shop.settings(), deep=True).ok


def test_a_description_that_raw_has_lost_is_named_by_the_deep_check(shop: SmallShop) -> None:
    shop.run()
    (kept,) = (shop.root / "output/raw/source").iterdir()
    kept.write_bytes(b"other")
    failed = [outcome for outcome in pipeline.check(shop.settings(), deep=True).outcomes if not outcome.ok]
    assert "raw_readable" in [outcome.name for outcome in failed]
    assert kept.name in str(failed)


def test_what_changes_no_value_folds_nothing_again(shop: SmallShop) -> None:
    shop.run()
    shop.description = "# a comment\n" + shop.description.replace('title = "A small shop"', 'title = "The shop"')
    assert not shop.run().load.rebuilt
    assert len(list((shop.root / "output/raw/source").iterdir())) == 2


def test_load_alone_and_a_rebuild_give_the_same(shop: SmallShop) -> None:
    shop.run()
    before = {path: path.read_bytes() for path in (shop.root / "output/curated").rglob("*.csv")}
    settings = shop.settings(source=None, api_url=None, api_token=None)  # the lake says how, not the settings
    for path in before:
        path.unlink()
    pipeline.load(settings, rebuild=True, runtime=shop.runtime())
    assert {path: path.read_bytes() for path in (shop.root / "output/curated").rglob("*.csv")} == before


def test_a_lost_description_is_missed_where_it_is_needed_and_a_run_puts_it_back(shop: SmallShop) -> None:
    shop.run()
    (kept,) = (shop.root / "output/raw/source").iterdir()
    kept.unlink()
    settings = shop.settings()
    assert not pipeline.load(settings, runtime=shop.runtime()).rebuilt  # what is staged is as good
    with pytest.raises(CorruptedError, match=r"the description of the source .* is damaged: it is missing"):
        pipeline.load(settings, rebuild=True, runtime=shop.runtime())
    shop.run()
    assert kept.exists()
    assert pipeline.load(settings, rebuild=True, runtime=shop.runtime()).rebuilt


def test_another_source_is_refused_before_anything_is_asked(shop: SmallShop) -> None:
    shop.run()
    shop.asked.clear()
    shop.description = shop.description.replace('name = "small"', 'name = "other"')
    with pytest.raises(ConfigError, match="holds orders of the source small, and other's must not mix"):
        shop.run()
    assert shop.asked == []


def test_another_selection_does_not_go_on_where_the_first_ended(shop: SmallShop) -> None:
    shop.description = shop.description.replace("params = { from", 'params = { branch = "${branch}", from').replace(
        "[auth]", '[variables.branch]\ndescription = "which branch"\nselects = true\n\n[auth]'
    )
    shop.run(variables={"branch": "north"})
    assert "from" not in shop.asked[0].params or shop.asked[0].params["from"].startswith("1970")
    shop.asked.clear()
    shop.run(variables={"branch": "north"})
    assert shop.asked[0].params["from"].startswith("2025-08-1")
    shop.asked.clear()
    shop.run(variables={"branch": "south"})
    assert "from" not in shop.asked[0].params or shop.asked[0].params["from"].startswith("1970")


def test_the_manifest_says_by_which_mapping(shop: SmallShop) -> None:
    shop.run()
    manifest = read_manifest(Lake(shop.root / "output"))
    assert manifest is not None
    assert len(manifest.settings.mapping) == 64
