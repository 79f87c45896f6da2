"""What stages are given: work in order on an executor, bounded, and awaited whatever happens."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from lakes import open_job

from ordersetl.job import Job, WorkQueue, background, map_bounded


class HeldExecutor(Executor):
    """Takes work and does none of it until it is told to; notes how much was taken and not yet done."""

    def __init__(self) -> None:
        self.taken: list[tuple[Future[Any], Callable[[], Any]]] = []
        self.most = 0

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.taken.append((future, lambda: work(*args, **named)))
        self.most = max(self.most, sum(not taken.done() for taken, _ in self.taken))
        return future

    def do(self, place: int = 0) -> None:
        """Do one of what is not yet done."""
        future, work = [taken for taken in self.taken if not taken[0].done()][place]
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - a future holds whatever was raised
            future.set_exception(error)


@pytest.fixture
def held() -> HeldExecutor:
    return HeldExecutor()


@pytest.fixture
def job(tmp_path: Path, held: HeldExecutor) -> Iterator[Job]:
    with open_job(tmp_path / "output", executor=held, workers=2) as opened:
        yield opened


def double(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return 2 * number


def test_no_more_is_under_way_than_there_are_workers(job: Job, held: HeldExecutor) -> None:
    queue = WorkQueue(job, double)
    for number in range(5):
        queue.put(number)
    assert len(held.taken) == 2
    held.do()
    queue.put(5)
    assert (len(held.taken), held.most) == (3, 2)


def test_results_come_in_the_order_of_the_items(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as threads, open_job(tmp_path / "output", executor=threads, workers=2) as job:
        assert list(map_bounded(job, double, range(50))) == [2 * number for number in range(50)]


def test_one_item_more_is_mapped_than_there_are_workers(job: Job, held: HeldExecutor) -> None:
    results = map_bounded(job, double, range(9))
    assert len(held.taken) == 3
    held.do()
    assert next(results) == 0
    assert (len(held.taken), held.most) == (4, 3)


def test_what_is_awaited_bounds_what_is_begun(job: Job, held: HeldExecutor) -> None:
    queue = WorkQueue(job, double)
    for number in range(9):
        queue.put(number)
    results = queue.results()
    held.do()
    assert next(results) == 0
    assert len(held.taken) == 3
    held.do(place=1)
    held.do()
    assert next(results) == 2
    assert (len(held.taken), held.most) == (5, 2)


def test_after_an_error_nothing_new_is_begun(job: Job, held: HeldExecutor) -> None:
    queue = WorkQueue(job, double)
    for number in (-1, 1, 2, 3):
        queue.put(number)
    held.do()
    queue.put(4)
    assert len(held.taken) == 2
    held.do()
    with pytest.raises(ValueError, match="-1 is negative"):
        list(queue.results())
    assert len(held.taken) == 2


def test_room_is_awaited_until_every_item_is_begun(job: Job, held: HeldExecutor) -> None:
    queue = WorkQueue(job, double)
    for number in range(4):
        queue.put(number)
    waiting = threading.Thread(target=queue.await_room)
    waiting.start()
    held.do()
    held.do()
    waiting.join(10)
    assert (waiting.is_alive(), len(held.taken), held.most) == (False, 4, 2)
    queue.await_room()  # there is room already


def test_no_room_is_awaited_after_an_error(job: Job, held: HeldExecutor) -> None:
    queue = WorkQueue(job, double)
    for number in (-1, 1, 2):
        queue.put(number)
    held.do()
    held.do()
    queue.await_room()
    assert len(held.taken) == 2


def test_closing_waits_for_what_is_under_way(tmp_path: Path) -> None:
    begun, may_end, done = threading.Event(), threading.Event(), []

    def work(number: int) -> None:
        begun.set()
        may_end.wait(10)
        done.append(number)

    with ThreadPoolExecutor(1) as threads, open_job(tmp_path / "output", executor=threads) as job:
        queue = WorkQueue(job, work)
        for number in range(4):
            queue.put(number)
        begun.wait(10)
        threading.Timer(0.01, may_end.set).start()
        queue.close()
        assert done == [0]  # the second was cancelled, and the others never begun


def test_work_in_the_background_is_awaited_after_an_error(tmp_path: Path) -> None:
    may_end, done = threading.Event(), []

    def work(number: int) -> int:
        may_end.wait(10)
        done.append(number)
        return number

    with ThreadPoolExecutor(1) as threads, open_job(tmp_path / "output", executor=threads) as job:
        with pytest.raises(RuntimeError), background(job, work, 1):
            _fail_after(may_end)
        assert done == [1]


def _fail_after(event: threading.Event) -> None:
    event.set()
    raise RuntimeError
