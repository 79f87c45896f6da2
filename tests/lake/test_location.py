"""Where an output may be: made for its owner alone, never among other things, found by what is in it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ordersetl.errors import ConfigError, StorageError
from ordersetl.lake.layout import Lake
from ordersetl.lake.location import find_lake, make_lake
from ordersetl.storage.lock import acquire_lock

BATCH = "20250901T000000.000000Z"


def _batch(lake: Lake) -> None:
    (lake.folder / "raw" / BATCH).mkdir(parents=True)


def _manifest(lake: Lake) -> None:
    (lake.folder / "curated").mkdir(parents=True)
    (lake.folder / "curated/_manifest.json").touch()


def _pending(lake: Lake) -> None:
    (lake.folder / "curated").mkdir(parents=True)
    (lake.folder / "curated/_pending.json").touch()


def _lock(lake: Lake) -> None:
    lake.folder.mkdir()
    with acquire_lock(lake.folder / ".lock", disk=lake.disk):
        pass


@pytest.mark.parametrize("ours", [_batch, _manifest, _pending, _lock])
def test_an_output_is_known_by_what_ordersetl_alone_makes(tmp_path: Path, ours: Callable[[Lake], object]) -> None:
    ours(Lake(tmp_path / "output"))
    assert find_lake(tmp_path / "output").root == make_lake(tmp_path / "output").root == tmp_path / "output"


@pytest.mark.parametrize("held", [None, "", "notes.txt", "raw/mine.csv", ".lock"])
def test_a_folder_without_is_none(tmp_path: Path, held: str | None) -> None:
    output = tmp_path / "output"
    if held is not None:
        output.mkdir()
    if held:
        (output / held).parent.mkdir(exist_ok=True)
        (output / held).touch()
    with pytest.raises(ConfigError, match="there is no ordersetl output at") as caught:
        find_lake(output)
    assert "ordersetl run" in caught.value.hint
    assert output.exists() == (held is not None)


def test_a_file_is_none_and_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("mine")
    with pytest.raises(ConfigError, match="it is not a folder"):
        find_lake(tmp_path / "output")
    with pytest.raises(StorageError, match="must be a folder of its own, and is a file"):
        make_lake(tmp_path / "output")


def test_a_new_output_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        make_lake(tmp_path / "new" / "output")
    finally:
        os.umask(before)
    assert (tmp_path / "new" / "output").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o755


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir(mode=0o755)
    (tmp_path / "output").chmod(0o755)
    make_lake(tmp_path / "output")
    assert (tmp_path / "output").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("others", [["notes.txt"], ["src/", ".git/"], [".bashrc"], ["raw/", "train.csv"]])
def test_a_folder_with_something_else_is_refused(tmp_path: Path, others: list[str]) -> None:
    for name in others:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    with pytest.raises(ConfigError, match="is not an ordersetl output, and not empty") as caught:
        make_lake(tmp_path)
    assert "--output" in caught.value.hint
    assert len(list(tmp_path.iterdir())) == len(others)


@pytest.mark.parametrize(
    "litter", [".DS_Store", "lost+found", ".gitkeep", "Thumbs.db", ".~lock.x.csv#", "raw", ".lock"]
)
def test_litter_and_empty_folders_of_ours_are_in_nobodys_way(tmp_path: Path, litter: str) -> None:
    (tmp_path / litter).touch() if "." in litter else (tmp_path / litter).mkdir()
    assert make_lake(tmp_path).root == tmp_path


def test_the_root_and_a_home_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path, tmp_path / "link"):
        with pytest.raises(ConfigError, match="is a home folder"):
            make_lake(path)
    for path in (Path("/"), Path("/..")):
        with pytest.raises(ConfigError, match="is the root of the file system"):
            make_lake(path)


def test_an_output_may_be_a_link_to_a_data_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "output").symlink_to("disk")
    lake = make_lake(tmp_path / "output")
    assert lake.folder == tmp_path / "disk"
    lake.disk.make_folder(lake.folder / "curated")
    (lake.folder / "curated/_manifest.json").touch()
    assert find_lake(tmp_path / "output").root == lake.folder


def test_an_output_may_be_made_in_a_link_to_a_data_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to("disk")
    make_lake(tmp_path / "data" / "shop" / "output")
    assert (tmp_path / "disk" / "shop" / "output").is_dir()


@pytest.mark.parametrize("target", ["nowhere", "output"])
def test_a_link_to_nowhere_says_so(tmp_path: Path, target: str) -> None:
    (tmp_path / "output").symlink_to(target)
    for at in (make_lake, find_lake):
        with pytest.raises(ConfigError, match=r"is a link to .*, and nothing is there") as caught:
            at(tmp_path / "output")
        assert "Mount the disk" in caught.value.hint
    assert len(list(tmp_path.iterdir())) == 1


def test_14_a_path_that_is_no_utf8_is_answered_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    for at in (make_lake, find_lake):
        with pytest.raises(ConfigError, match=r"caf\\xe9/output, is not valid UTF-8"):
            at(odd / "output")
    odd.mkdir()
    monkeypatch.chdir(odd)  # an absolute path is made of it, sooner or later
    with pytest.raises(ConfigError, match="is not valid UTF-8"):
        make_lake(Path("output"))
    assert not list(odd.iterdir())
