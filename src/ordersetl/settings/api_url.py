"""A URL that requests with credentials go to."""

__all__ = ["check_api_url", "read_base_url"]

_MAX_PORT = 65_535


def read_base_url(text: str) -> str:
    """The URL that paths are put behind: without blanks around it, and without a slash at its end.

    Raises:
        ValueError: as :func:`check_api_url`, or it has a query, which a path cannot follow.
    """
    url = text.strip()
    check_api_url(url)
    if "?" in url:
        raise ValueError("must hold no query")
    return url.rstrip("/")


def check_api_url(text: str) -> None:
    """Check that a text is an http:// or https:// URL that can be requested, without credentials of its own.

    Raises:
        ValueError: it is not; what it says quotes nothing of it.
    """
    import httpx  # noqa: PLC0415 - commands that fetch nothing do without

    try:
        url = httpx.URL(text)
        host = url.host
    except (httpx.InvalidURL, UnicodeError):
        # its own message may quote a password
        raise ValueError("must be an http:// or https:// URL that can be requested") from None
    if url.scheme not in {"http", "https"} or not host or "%" in host:
        raise ValueError("must be an http:// or https:// URL")
    if url.port is not None and not 0 < url.port <= _MAX_PORT:  # the system would take it modulo 65,536
        raise ValueError(f"must have a port between 1 and {_MAX_PORT}")
    if url.userinfo:
        raise ValueError("must hold no user or password: each has a setting, as ORDERSETL_API_TOKEN")
    if "#" in text:
        raise ValueError("must hold no fragment")
