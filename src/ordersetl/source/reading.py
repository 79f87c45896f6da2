"""What an answer is read as: a page, or the reason why it is none, with what of it helps to see why."""

from ordersetl.errors import InvalidResponseError
from ordersetl.source.answer import CharsetError, Secrets, describe_body, find_charset, look_at, quote_text
from ordersetl.source.ask import Answer, Ask
from ordersetl.source.page import Page
from ordersetl.source.parser import NotJsonError
from ordersetl.source.shape import PageShape

__all__ = ["explain_problem", "open_page"]

_MAX_PROBLEM = 400


def open_page(answer: Answer, number: int, max_records: int, shape: PageShape | None) -> Page:
    """The ``number``-th page of a batch, its head not read yet.

    Raises:
        InvalidResponseError: its bytes are in no charset that its answer names.
    """
    charset = find_charset(answer.body, answer.headers.get("Content-Type", ""))
    return Page(number, answer.body, charset, max_records, shape)


def explain_problem(error: InvalidResponseError, ask: Ask, answer: Answer, secrets: Secrets) -> InvalidResponseError:
    """The error, with where it was, what the answer looks like, and how it begins."""
    description = describe_body(answer.body, answer.headers, secrets)
    problem = error.message
    looks = look_at(answer.body)
    if isinstance(error, NotJsonError) and not (isinstance(error, CharsetError) and looks.startswith("JSON")):
        problem = f"the page is not JSON; it looks like {looks}"
    problem = quote_text(problem, secrets, most=_MAX_PROBLEM)
    message = f"{ask.shown}{answer.route} answered HTTP 200, but {problem} ({description})"
    return type(error)(message, hint=error.hint)
