"""Real limits of real file systems: no room, a file size limit, read-only, immutable."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from console import environment, ordersetl
from fault_cases import Stage
from shop_story import Shop, leftovers, readers_files

from ordersetl.source.sample import sample_app
from ordersetl.source.server import serve


def call(*command: object) -> str:
    """Run a system's tool; what it complains about, empty where it did its work."""
    try:
        ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return str(error)
    return "" if ended.returncode == 0 else ended.stderr.strip() or "it failed"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """A file system in memory at ``tmp_path/disk``; call it with mount options to change it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if complaint := call("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk):
        pytest.skip(f"mounting is not permitted here: {complaint}")

    def remount(options: str) -> None:
        if complaint := call("mount", "-o", f"remount,{options}", disk):
            pytest.skip(f"remounting is not permitted here: {complaint}")

    yield remount
    call("umount", "-l", disk)


@contextmanager
def served(tmp_path: Path) -> Iterator[list[str]]:
    shop = Shop(tmp_path / "files")
    with serve(sample_app(shop.orders)) as url:
        files = ["--users", str(shop.folder / "users.csv"), "--products", str(shop.folder / "products.csv")]
        yield ["run", "--full", "--api-url", url, *files]


def assert_old_or_new(output: Path, stage: Stage) -> None:
    found = readers_files(output)
    assert all(data in {stage.before.get(file), stage.after.get(file)} for file, data in found.items())


def assert_right(output: Path, stage: Stage) -> None:
    assert readers_files(output) == stage.after
    assert leftovers(output) == []
    assert ordersetl("check", "--deep", "--output", output, cwd=output.parent).code == 0


def test_a_full_disk(tmp_path: Path, stage: Stage, small_disk: Callable[[str], None]) -> None:
    output = tmp_path / "disk" / "output"
    shutil.copytree(stage.folder, output)
    used = (16 << 20) - shutil.disk_usage(output).free
    ends = []
    with served(tmp_path) as arguments:
        for room in (0, 24, 72):
            small_disk(f"size={used // 1024 + room}k")
            ended = ordersetl(*arguments, "--output", output, cwd=tmp_path)
            ends.append(ended.code)
            said = " ".join(ended.err.split())
            assert ended.code == 0 or ("No space left" in said and str(output) in said.replace(" ", ""))
            assert "Traceback" not in said
            assert_old_or_new(output, stage)
        assert ends[0] == 1
        small_disk("size=16m")
        assert ordersetl(*arguments, "--output", output, cwd=tmp_path).code == 0
    assert_right(output, stage)


def test_a_file_size_limit(tmp_path: Path, stage: Stage) -> None:
    output = tmp_path / "output"
    shutil.copytree(stage.folder, output)
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2);"
        "from ordersetl.cli.app import main; main()"
    )
    with served(tmp_path) as arguments:
        for limit in (100, 1500):
            ended = subprocess.run(
                [sys.executable, "-c", limited, str(limit), *arguments],
                cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
            )  # fmt: skip
            said = " ".join(ended.stderr.split())
            assert ended.returncode == 1
            assert "File too large" in said
            assert "ulimit -f" in said
            assert_old_or_new(output, stage)
        assert ordersetl(*arguments, cwd=tmp_path).code == 0
    assert_right(output, stage)


def test_a_read_only_file_system(tmp_path: Path, stage: Stage, small_disk: Callable[[str], None]) -> None:
    output = tmp_path / "disk" / "output"
    shutil.copytree(stage.folder, output)
    with served(tmp_path) as arguments:
        small_disk("ro")
        ended = ordersetl(*arguments, "--output", output, cwd=tmp_path)
        said = " ".join(ended.err.split())
        assert ended.code == 1
        assert "Read-only file system" in said
        assert str(output) in said.replace(" ", "")
        assert "Traceback" not in said
        assert readers_files(output) == stage.before
        assert ordersetl("check", "--output", output, cwd=tmp_path).code == 0
        small_disk("rw")
        assert ordersetl(*arguments, "--output", output, cwd=tmp_path).code == 0
    assert_right(output, stage)


@pytest.mark.parametrize("folder", ["raw", "curated", "runs"])
def test_a_folder_that_refuses(tmp_path: Path, stage: Stage, folder: str) -> None:
    output = tmp_path / "output"
    shutil.copytree(stage.folder, output)
    if complaint := call("chattr", "+i", output / folder):
        pytest.skip(f"files cannot be made immutable here: {complaint}")
    with served(tmp_path) as arguments:
        try:
            ended = ordersetl(*arguments, cwd=tmp_path)
        finally:
            call("chattr", "-i", output / folder)
        assert ended.code == 1
        assert "not permitted" in " ".join(ended.err.split())
        assert "Traceback" not in ended.err
        assert_old_or_new(output, stage)
        assert ordersetl(*arguments, cwd=tmp_path).code == 0
    assert_right(output, stage)
