"""What an answer is read as: a page, or the reason why it is none, with what of it helps to see why."""

from ordersetl.errors import InvalidResponseError
from ordersetl.source.answer import CharsetError, Secrets, describe_body, find_charset, look_at, quote_text
from ordersetl.source.ask import Answer, Ask
from ordersetl.source.page import Page
from ordersetl.source.parser import NotJsonError
from ordersetl.source.shape import PageShape

__all__ = ["explain_problem", "find_answer_charset", "locate_problem", "open_page"]

_MAX_PROBLEM = 400


def open_page(answer: Answer, number: int, max_records: int, shape: PageShape | None) -> Page:
    """The ``number``-th page of a batch, its head not read yet.

    Raises:
        InvalidResponseError: as :func:`find_answer_charset`.
    """
    return Page(number, answer.body, find_answer_charset(answer), max_records, shape)


def find_answer_charset(answer: Answer) -> str | None:
    """The charset that an answer is read in, as :func:`find_charset` has it.

    Raises:
        NotJsonError: it is blank, and not by its status: a server that broke down answers so too, and proves no end.
        CharsetError: its bytes are in no charset that it names.
    """
    if not answer.is_empty and not answer.body.strip():
        raise NotJsonError("the page is blank", hint="Try again later, or look at what the API sends.")
    return find_charset(answer.body, answer.headers.get("Content-Type", ""))


def explain_problem(error: InvalidResponseError, ask: Ask, answer: Answer, secrets: Secrets) -> InvalidResponseError:
    """The error, with where it was, what the answer looks like, and how it begins."""
    description = describe_body(answer.body, answer.headers, secrets)
    problem = error.message
    looks = look_at(answer.body)
    if isinstance(error, NotJsonError) and not (isinstance(error, CharsetError) and looks.startswith("JSON")):
        problem = f"the page is not JSON; it looks like {looks}"
    message = f"{ask.shown}{answer.route} answered HTTP 200, but {_mask(problem, secrets)} ({description})"
    return type(error)(message, hint=error.hint)


def locate_problem(error: InvalidResponseError, ask: Ask, secrets: Secrets) -> InvalidResponseError:
    """The error, with where it was: of an answer that is what it should be, but does not go with others."""
    return type(error)(f"{ask.shown}: {_mask(error.message, secrets)}", hint=error.hint)


def _mask(problem: str, secrets: Secrets) -> str:
    """What an error says, which may end in a value that it cut."""
    return quote_text(problem, secrets, cut=True, most=_MAX_PROBLEM)
