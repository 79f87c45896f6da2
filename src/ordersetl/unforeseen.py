"""Errors that nobody raised on purpose: which are failures to be told of, and which come from a short resource."""

__all__ = ["find_shortage", "is_failure"]

_SHORTAGES = {
    "memory": ("out of memory", "cannot allocate memory"),
    "open files": ("too many open files",),
    "threads": ("start new thread", "spawn thread", "spawn worker thread"),
}
"""What a machine lacks where these words are said, by Python or by a library."""


def is_failure(error: BaseException) -> bool:
    """Whether an error is to be told of: any but what ends a process. Where Rust panics, that is no Exception."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def find_shortage(error: BaseException | None) -> str:
    """What the machine had too little of, where an error comes from that; else empty."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError):
            return "memory"
        said = str(error).lower()
        for lacking, words in _SHORTAGES.items():
            if any(word in said for word in words):
                return lacking
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return ""
