"""Answers of built-in sources that are no usual page: empty without a list, and errors that come with HTTP 200."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from described_api import fetch

from ordersetl.errors import SourceError
from ordersetl.source.description.loading import load_builtin


def ask(source: str, answer: dict[str, Any] | Callable[[httpx.Request], httpx.Response]) -> list[int]:
    """How many records are on each page where an API answers so, to whatever it is asked."""
    api = answer if callable(answer) else lambda _: httpx.Response(200, json=answer)
    description = load_builtin(source).description.model_copy(update={"rights": None})
    variables = {name: each.default or "" for name, each in description.variables.items()}
    return [
        page.head.records
        for page in fetch(api, description, variables=variables, api_token="t-1")  # noqa: S106
    ]


def test_magento_may_have_null_for_an_empty_page() -> None:
    assert ask("magento", {"items": None, "search_criteria": {}, "total_count": 0}) == [0]
    with pytest.raises(SourceError, match=r"0 orders came of 3"):
        ask("magento", {"items": None, "search_criteria": {}, "total_count": 3})


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("magento", {"message": "No such %fieldName", "parameters": {"fieldName": "product"}}),
        ("shopify", {"errors": "No such shop"}),
        ("shopify", {"errors": [{"message": "No such field"}], "data": {"orders": None}}),
    ],
)
def test_what_an_api_says_with_http_200_is_told(source: str, answer: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"HTTP 200 with an error in it: No such "):
        ask(source, answer)


@pytest.mark.parametrize("code", ["THROTTLED", "INTERNAL_SERVER_ERROR", "TIMEOUT"])
def test_what_may_pass_is_asked_for_again(code: str) -> None:
    failures = [{"errors": [{"message": "Looks like something went wrong", "extensions": {"code": code}}]}] * 2
    connection = {"pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": []}

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=failures.pop() if failures else {"data": {"orders": connection}})

    assert ask("shopify", answer) == [0]
    assert not failures
