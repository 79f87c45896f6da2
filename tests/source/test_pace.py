"""The pace of requests, which all clients of one API share."""

from datetime import UTC, datetime

import httpx
import pytest

from ordersetl.lake.raw import BatchRequest
from ordersetl.settings import Settings
from ordersetl.source.ask import Ask, TryAgainError
from ordersetl.source.asker import Asker
from ordersetl.source.client import OrdersClient
from ordersetl.source.pace import Pace, read_rate_limit
from ordersetl.source.session import generic_session

NOW = datetime(2025, 9, 1, 12, tzinfo=UTC)


class Clock:
    """Seconds that go forward when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_turns_are_as_far_apart_as_the_rate_says() -> None:
    clock = Clock()
    pace = Pace(4, clock=clock)
    assert [pace.take_turn() for _ in range(3)] == [0.0, 0.25, 0.5]
    clock.now += 10
    assert pace.take_turn() == 0.0


def test_without_a_rate_nobody_waits() -> None:
    pace = Pace(clock=Clock())
    assert {pace.take_turn() for _ in range(5)} == {0.0}


def test_a_hold_is_for_all_and_never_shortened() -> None:
    pace = Pace(clock=Clock())
    pace.hold(30)
    pace.hold(10)
    assert (pace.take_turn(), pace.take_turn()) == (30.0, 30.0)
    pace.hold(1e9)
    assert pace.take_turn() == 3600.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"RateLimit-Remaining": "3", "RateLimit-Reset": "30"}, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "30"}, 30.0),
        ({"RateLimit-Remaining": "0"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(NOW.timestamp() + 7)}, 7.0),
        ({"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": str(NOW.timestamp() - 7)}, 0.0),
        ({"RateLimit-Remaining": "none", "RateLimit-Reset": "soon"}, None),
        ({"RateLimit-Remaining": "nan", "RateLimit-Reset": "nan"}, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "inf"}, None),
    ],
)
def test_a_limit_that_is_used_up_says_how_long(headers: dict[str, str], expected: float | None) -> None:
    assert read_rate_limit(headers, NOW) == expected


def client_of(answers: list[httpx.Response], clock: Clock, pace: Pace) -> OrdersClient:
    http = httpx.Client(transport=httpx.MockTransport(lambda _: answers.pop(0)))
    session = generic_session("https://shop.example", Settings(), pace=pace)
    return OrdersClient(http, Settings(), session=session, sleep=clock.sleep, now=lambda: NOW, clock=clock)


def fetch(client: OrdersClient) -> None:
    request = BatchRequest("generic", "https://shop.example", None, None, 10, NOW)
    for _ in client.pages(request):
        pass


def test_what_an_api_asks_of_one_client_slows_the_others() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    page = httpx.Response(200, json=[{"order_id": 1}])
    fetch(client_of([httpx.Response(429, headers={"Retry-After": "40"}), page], clock, pace))
    assert clock.slept == [pytest.approx(40.0)], "the client itself waits once"
    pace.hold(5)
    fetch(client_of([page], clock, pace))
    assert clock.slept[1:] == [5.0]


def test_a_used_up_limit_holds_the_next_request() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    used_up = {"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}
    first = httpx.Response(200, headers=used_up, json={"orders": [{"order_id": 1}], "next_cursor": "b"})
    last = httpx.Response(200, json={"orders": [{"order_id": 2}], "next_cursor": None})
    fetch(client_of([first, last], clock, pace))
    assert clock.slept == [12.0]


def test_many_that_ran_into_a_limit_wait_for_it_once() -> None:
    clock, ask, failed = Clock(), Ask("http://test/orders"), list[TryAgainError]()

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200) if clock.now >= 109 else httpx.Response(429, headers={"Retry-After": "9"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        pace = Pace(clock=clock)
        asker = Asker(
            http, Settings(), login=None, secrets=(), pace=pace, sleep=clock.sleep, now=lambda: NOW, clock=clock
        )
        for _ in range(4):
            with pytest.raises(TryAgainError) as caught:
                asker.ask_now(ask, lambda _: None)
            failed.append(caught.value)
        for error in failed:
            asker.ask_again(ask, lambda _: None, error)
    assert (clock.slept[0], sum(clock.slept), asker.retries) == (9.0, 9.0, 4)
