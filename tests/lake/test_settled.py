"""A look at what is committed is repeated where a commit came between."""

from pathlib import Path

import pytest

from ordersetl.errors import InternalError, StorageError
from ordersetl.lake.layout import MANIFEST, PENDING, Lake
from ordersetl.lake.settled import look_until_settled


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / MANIFEST).parent.mkdir()
    (tmp_path / MANIFEST).write_text("0")
    return Lake(tmp_path)


class Looks:
    """Looks in whose first ``commits`` ones somebody commits."""

    def __init__(self, lake: Lake, commits: int) -> None:
        self.file = lake.folder / MANIFEST
        self.commits = commits
        self.made = 0

    def __call__(self) -> int:
        self.made += 1
        if self.made <= self.commits:
            self.file.write_text(str(self.made))
        return self.made


def test_a_look_at_one_state_is_enough(lake: Lake) -> None:
    assert look_until_settled(lake, Looks(lake, commits=0)) == (1, True)


def test_a_commit_in_between_has_it_repeated(lake: Lake) -> None:
    assert look_until_settled(lake, Looks(lake, commits=2)) == (3, True)


def test_what_will_do_is_not_repeated(lake: Lake) -> None:
    assert look_until_settled(lake, Looks(lake, commits=9), is_enough=lambda found: found == 2) == (2, True)


def test_it_gives_up_where_others_commit_all_the_time(lake: Lake) -> None:
    assert look_until_settled(lake, Looks(lake, commits=99)) == (5, False)


def test_a_commit_that_is_under_way_is_waited_for(lake: Lake) -> None:
    (lake.folder / PENDING).write_text("1")
    looks = Looks(lake, commits=0)
    assert not look_until_settled(lake, looks)[1]
    assert looks.made == 5


@pytest.mark.parametrize("error", [StorageError, InternalError])
def test_a_look_whose_files_a_commit_took_away_is_repeated(lake: Lake, error: type[Exception]) -> None:
    looks = Looks(lake, commits=2)

    def look() -> int:
        if (made := looks()) <= 2:
            raise error("there is no such file")
        return made

    assert look_until_settled(lake, look) == (3, True)


@pytest.mark.parametrize("commits", [0, 99])
def test_a_look_that_fails_by_itself_or_every_time_has_failed(lake: Lake, commits: int) -> None:
    looks = Looks(lake, commits)

    def look() -> int:
        raise StorageError(f"look {looks()} failed")

    with pytest.raises(StorageError, match=f"look {1 if commits == 0 else 5} failed"):
        look_until_settled(lake, look)
