import signal
import threading

import pytest

from ordersetl.cli.signals import Interrupts
from ordersetl.errors import InterruptedRunError


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_it_at_the_next_checkpoint(number: signal.Signals) -> None:
    interrupts = Interrupts()
    with interrupts.obey():
        interrupts.checkpoint()
        signal.raise_signal(number)
        with pytest.raises(InterruptedRunError, match=number.name) as caught:
            interrupts.checkpoint()
    assert "kept" in caught.value.message
    assert caught.value.exit_code == 130


def test_where_nothing_is_half_done_it_ends_at_once() -> None:
    interrupts = Interrupts()
    went_on = False
    with interrupts.obey(), pytest.raises(InterruptedRunError), interrupts.interruptible():  # noqa: PT012
        signal.raise_signal(signal.SIGTERM)
        went_on = True
    assert not went_on


def test_a_signal_before_is_obeyed_on_entry() -> None:
    interrupts = Interrupts()
    with interrupts.obey():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(InterruptedRunError), interrupts.interruptible():
            pytest.fail("it went on")


def test_sleep_ends_when_a_signal_comes() -> None:
    interrupts = Interrupts()
    with interrupts.obey():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(InterruptedRunError):
            interrupts.sleep(3600)


def test_the_second_signal_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr("ordersetl.cli.signals.os._exit", codes.append)
    interrupts = Interrupts()
    with interrupts.obey():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert codes == [130]


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts().obey():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_in_another_thread_signals_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    found: list[object] = []

    def work() -> None:
        with Interrupts().obey():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
