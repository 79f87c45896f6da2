"""Signals: the first Ctrl-C or SIGTERM ends the run at its next safe point, the second at once."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ordersetl.errors import InterruptedRunError

__all__ = ["Interrupts"]

_OBEYED = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Turns signals into InterruptedRunError at safe points; a context manager around one command."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self._wake = threading.Event()
        self._at_once = False

    @contextmanager
    def obey(self) -> Iterator["Interrupts"]:
        """Obey SIGINT and SIGTERM within the block; signals can only be had in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        reader, writer = socket.socketpair()
        writer.setblocking(False)
        watcher = threading.Thread(target=_end_at_the_second, args=(reader,), daemon=True)
        watcher.start()
        before = {number: signal.signal(number, self._receive) for number in _OBEYED}
        woken_before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield self
        finally:
            signal.set_wakeup_fd(woken_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            writer.close()
            watcher.join()
            reader.close()

    def checkpoint(self) -> None:
        """End here if a signal came.

        Raises:
            InterruptedRunError: it did.
        """
        if self._signal is not None:
            raise self._error()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within the block nothing is half done: a signal ends it at once."""
        self.checkpoint()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def sleep(self, seconds: float) -> None:
        """Sleep, but end when a signal comes."""
        self._wake.wait(seconds)
        self.checkpoint()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._signal = number
        self._wake.set()
        if self._at_once:
            raise self._error()

    def _error(self) -> InterruptedRunError:
        name = signal.Signals(self._signal or signal.SIGINT).name
        return InterruptedRunError(
            f"{name}: ended at a safe point. What was committed is kept, and so are the pages fetched so far",
            hint="Run the same command again: it goes on where this one ended.",
        )


def _end_at_the_second(signals: socket.socket) -> None:
    """End the process when a second signal comes.

    In a thread of its own, for a handler waits until the main thread leaves the native call or the read it is in.
    """
    received = 0
    while numbers := signals.recv(64):
        received += sum(number in _OBEYED for number in numbers)
        if received > 1:
            os._exit(130)
