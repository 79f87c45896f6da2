"""An executor whose work travels: on a copy that was made of bytes, which it counts."""

import pickle
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

__all__ = ["PostedExecutor"]


class PostedExecutor(Executor):
    """Does what is submitted on a copy that travelled as bytes, and counts these; so does what comes back."""

    def __init__(self) -> None:
        self.bytes = self.tasks = 0

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        sent, given, options = self._post((work, args, named))
        future.set_result(self._post(sent(*given, **options)))
        self.tasks += 1
        return future

    def _post(self, message: Any) -> Any:
        data = pickle.dumps(message)
        self.bytes += len(data)
        return pickle.loads(data)  # noqa: S301 - just pickled
