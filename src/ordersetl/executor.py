"""Work done side by side: bounded in what is under way, awaited whatever happens, results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import contextmanager, suppress
from typing import Generic, ParamSpec, Protocol, TypeVar

import msgspec

from ordersetl.runtime import RunContext

__all__ = ["WorkQueue", "Workers", "Workplace", "background", "map_bounded"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Given = ParamSpec("_Given")


class Workplace(Protocol):
    """Where work is done side by side: by a command that holds an output, or by one that only looks."""

    @property
    def executor(self) -> Executor:
        """Does the work, perhaps elsewhere."""

    @property
    def workers(self) -> int:
        """How many items it works on at a time."""

    def checkpoint(self) -> None:
        """Allow the work to end here."""


class Workers(msgspec.Struct, frozen=True):
    """An executor for a command that holds no output; ``width`` says how many items it works on at a time now."""

    executor: Executor
    width: Callable[[], int]
    checkpoint: Callable[[], None]

    @property
    def workers(self) -> int:
        """How many items it works on at a time."""
        return self.width()


@contextmanager
def background(
    context: RunContext, work: Callable[_Given, _Out], *given: _Given.args, **named: _Given.kwargs
) -> Iterator[Future[_Out]]:
    """Have work done on this process's threads while the block runs; it is awaited at its end, also after an error."""
    future = context.threads.submit(work, *given, **named)
    try:
        yield future
    finally:
        wait([future])


class WorkQueue(Generic[_In, _Out]):
    """Work for the context's executor, an item a worker under way; results in the order of the items.

    Memory is bounded by what is under way, however many items there are. After an error nothing new is begun, and
    what is under way is awaited before the error goes on.

    Args:
        context: its executor does the work.
        work: what is done with each item; like the items, it pickles.
        spare: how many more items are under way, since some wait for the disk.
    """

    def __init__(self, context: Workplace, work: Callable[[_In], _Out], *, spare: int = 0) -> None:
        self._context = context
        self._work = work
        self._spare = spare
        self._waiting: deque[_In] = deque()
        self._begun: deque[Future[_Out]] = deque()

    def put(self, item: _In) -> None:
        """Add an item; it is begun now, or when there is room."""
        self._waiting.append(item)
        self._begin()

    def await_room(self) -> None:
        """Wait until every item is begun, or one has failed."""
        while self._waiting and (running := [future for future in self._begun if not future.done()]):
            wait(running, return_when=FIRST_COMPLETED)
            self._begin()

    def results(self) -> Iterator[_Out]:
        """Results of all items, in their order, as they come."""
        try:
            while self._begun:
                result = self._begun.popleft().result()
                self._context.checkpoint()
                self._begin()
                yield result
        finally:
            self.close()

    def close(self) -> None:
        """Begin nothing more, and wait for all that was begun: nothing of it is at work when the lock is released.

        Nothing is cancelled: an executor may say so of work that goes on elsewhere.
        """
        self._waiting.clear()
        for future in self._begun:
            with suppress(CancelledError):  # only an executor that was itself shut down does that
                future.exception()  # an error of what nobody wants any more; the one that matters is on its way
        self._begun.clear()

    def _begin(self) -> None:
        running = 0
        for future in self._begun:
            if not future.done():
                running += 1
            elif future.exception() is not None:
                return
        most = self._context.workers + self._spare if self._waiting else 0
        while self._waiting and running < most:
            self._begun.append(self._context.executor.submit(self._work, self._waiting.popleft()))
            running += 1


def map_bounded(context: Workplace, work: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
    """Results in the order of the items, by a :class:`WorkQueue` with one item to spare."""
    queue = WorkQueue(context, work, spare=1)
    for item in items:
        queue.put(item)
    return queue.results()
