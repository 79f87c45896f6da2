"""What stages are given: work in order on an executor, bounded, and awaited whatever happens."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lakes import SerialExecutor, open_job

from ordersetl.executor import WorkQueue, background, map_bounded
from ordersetl.runtime import RunContext, count_cores


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

    def do_all(self) -> None:
        """Do what is not yet done: whoever began it waits for it."""
        while not all(future.done() for future, _ in self.taken):
            self.do()

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
def context(tmp_path: Path, held: HeldExecutor) -> Iterator[RunContext]:
    with open_job(tmp_path / "output", executor=held, workers=2) as opened:
        yield opened


def double(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return 2 * number


def test_no_more_is_under_way_than_there_are_workers(context: RunContext, held: HeldExecutor) -> None:
    queue = WorkQueue(context, double)
    for number in range(5):
        queue.put(number)
    assert len(held.taken) == 2
    held.do()
    queue.put(5)
    assert (len(held.taken), held.most) == (3, 2)


def test_results_come_in_the_order_of_the_items(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as threads, open_job(tmp_path / "output", executor=threads, workers=2) as context:
        assert list(map_bounded(context, double, range(50))) == [2 * number for number in range(50)]


def test_one_item_more_is_mapped_than_there_are_workers(context: RunContext, held: HeldExecutor) -> None:
    results = map_bounded(context, double, range(9))
    assert len(held.taken) == 3
    held.do()
    assert next(results) == 0
    assert (len(held.taken), held.most) == (4, 3)
    held.do_all()


def test_what_is_awaited_bounds_what_is_begun(context: RunContext, held: HeldExecutor) -> None:
    queue = WorkQueue(context, double)
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
    held.do_all()


def test_after_an_error_nothing_new_is_begun(context: RunContext, held: HeldExecutor) -> None:
    queue = WorkQueue(context, double)
    for number in (-1, 1, 2, 3):
        queue.put(number)
    held.do()
    queue.put(4)
    assert len(held.taken) == 2
    held.do()
    with pytest.raises(ValueError, match="-1 is negative"):
        list(queue.results())
    assert len(held.taken) == 2


def test_room_is_awaited_until_every_item_is_begun(context: RunContext, held: HeldExecutor) -> None:
    queue = WorkQueue(context, double)
    for number in range(4):
        queue.put(number)
    waiting = threading.Thread(target=queue.await_room)
    waiting.start()
    held.do()
    held.do()
    waiting.join(10)
    assert (waiting.is_alive(), len(held.taken), held.most) == (False, 4, 2)
    queue.await_room()  # there is room already


def test_no_room_is_awaited_after_an_error(context: RunContext, held: HeldExecutor) -> None:
    queue = WorkQueue(context, double)
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

    with ThreadPoolExecutor(1) as threads, open_job(tmp_path / "output", executor=threads) as context:
        queue = WorkQueue(context, work)
        for number in range(4):
            queue.put(number)
        begun.wait(10)
        threading.Timer(0.01, may_end.set).start()
        queue.close()
        assert done == [0]  # the others were never begun


class FarExecutor(HeldExecutor):
    """Works elsewhere: its futures say that they were cancelled, and the work goes on all the same."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future = super().submit(work, *args, **named)
        future.cancel = lambda: True  # type: ignore[method-assign]
        future.cancelled = lambda: True  # type: ignore[method-assign]
        return future


def test_19_what_was_handed_out_is_awaited_and_never_presumed_cancelled(tmp_path: Path) -> None:
    far = FarExecutor()
    done: list[int] = []
    with open_job(tmp_path / "output", executor=far, workers=2) as context:
        queue = WorkQueue(context, done.append)
        for number in range(3):
            queue.put(number)
        closing = threading.Thread(target=queue.close)
        closing.start()
        far.do()
        assert closing.is_alive()
        far.do()
        closing.join(10)
        assert not closing.is_alive()
    assert done == [0, 1]


def test_19_an_error_of_what_is_given_up_is_not_raised(context: RunContext, held: HeldExecutor) -> None:
    queue = WorkQueue(context, double)
    queue.put(-1)
    held.do()
    queue.close()


def test_21_what_only_this_process_can_do_runs_on_its_own_threads(tmp_path: Path) -> None:
    far, threads = HeldExecutor(), SerialExecutor()
    with open_job(tmp_path / "output", executor=far, threads=threads) as context:
        with background(context, double, 2) as doubled:
            pass
        assert (doubled.result(), far.taken) == (4, [])


@pytest.mark.parametrize("width", [3, lambda: 3])
def test_22_an_executor_is_asked_for_its_width(tmp_path: Path, width: int | Callable[[], int]) -> None:
    with open_job(tmp_path / "output", workers=None) as opened:
        context = msgspec.structs.replace(opened, runtime=msgspec.structs.replace(opened.runtime, width=width))
        assert context.workers == 3
        with ThreadPoolExecutor(5) as five:
            assert msgspec.structs.replace(opened, executor=five).workers == 5
        assert opened.workers == count_cores()


def test_22_the_setting_goes_before_the_width(tmp_path: Path) -> None:
    with open_job(tmp_path / "output", workers=2) as opened:
        assert msgspec.structs.replace(opened, runtime=msgspec.structs.replace(opened.runtime, width=7)).workers == 2


def test_work_in_the_background_is_awaited_after_an_error(tmp_path: Path) -> None:
    may_end, done = threading.Event(), []

    def work(number: int) -> int:
        may_end.wait(10)
        done.append(number)
        return number

    with ThreadPoolExecutor(1) as threads, open_job(tmp_path / "output", threads=threads) as context:
        with pytest.raises(RuntimeError), background(context, work, 1):
            _fail_after(may_end)
        assert done == [1]


def _fail_after(event: threading.Event) -> None:
    event.set()
    raise RuntimeError
