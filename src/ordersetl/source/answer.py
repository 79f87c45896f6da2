"""What an answer is, in words: its charset, what its body looks like, and a quote of it that is safe to show."""

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote as percent_encode, quote_plus, unquote_plus

import httpx

from ordersetl.source.parser import NotJsonError
from ordersetl.text import look_up_charset

__all__ = [
    "CharsetError",
    "Secrets",
    "describe_body",
    "find_charset",
    "holds_secret",
    "look_at",
    "quote_text",
    "show_target",
]

Secrets = Iterable[str]
"""What no message may show, each as it is sent."""

_MAX_QUOTE = 200
_MASK = "***"
_DOTS = "..."
_CHARSET = re.compile(r""";\s*charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;,"']+))""", re.IGNORECASE)
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "a zip file",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"%PDF": "PDF",
    b"\x89PNG": "an image",
    b"GIF8": "an image",
    b"\xff\xd8\xff": "an image",
    b"PAR1": "Parquet",
}
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|h[1-6]|p|div|center|script)\b", re.IGNORECASE)
_SNIFFED = 1024
_PRINTABLE_SHARE = 0.9


class CharsetError(NotJsonError):
    """A body is not UTF-8, and in no charset that its answer names."""


def find_charset(body: bytes, content_type: str) -> str | None:
    """The charset that a body is read in: None where it shows by itself, as UTF-8 and its kin do in JSON.

    Raises:
        CharsetError: it is not UTF-8, and in no charset that its answer names.
    """
    encoding = json.detect_encoding(body)
    if encoding == "utf-8" and body.isascii():  # in a tenth of the time
        return None
    try:
        body.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as error:
        problem = f"is not valid {encoding.upper()} (byte {error.start:,})"
    else:
        return None
    hint = "Have the API send UTF-8, or name the charset in Content-Type."
    if "Content-Encoding" in look_at(body):
        hint = "Have the API name in Content-Encoding how the body is compressed, and compress it once."
    match = _CHARSET.search(content_type)
    named = next(filter(None, match.groups()), "") if match else ""
    if not named:
        problem = problem.replace("valid UTF-8", "UTF-8")
        raise CharsetError(f"the page {problem} and names no charset", hint=hint)
    charset = look_up_charset(named)
    if charset is None:
        raise CharsetError(f"the page {problem}, and its charset {named[:40]!r} is unknown", hint=hint)
    try:
        body.decode(charset)
    except ValueError as error:
        raise CharsetError(f"the page {problem}, nor is it {charset}, which it names: {error}", hint=hint) from None
    return charset


def describe_body(body: bytes, headers: Mapping[str, str], secrets: Secrets, *, cut: bool = False) -> str:
    """Content type, size, and the beginning of a body; ``cut`` where not all of it was read."""
    content_type = quote_text(headers.get("Content-Type", "").partition(";")[0], secrets) or "no content type"
    if not body:
        return f"{content_type}, empty"
    size = "" if cut else f", {len(body):,} bytes"
    looks = look_at(body)
    if "gzip" in looks or looks.startswith(("a zip", "zstd", "bzip2", "xz", "PDF", "an image", "Parquet", "binary")):
        return f"{content_type}{size}"
    return f"{content_type}{size}: {quote_text(_decode(body), secrets, cut=cut)}"


def look_at(body: bytes) -> str:
    """What a body that is not JSON looks like."""
    start = body[:_SNIFFED].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        return "an empty body"
    for magic, kind in _MAGIC.items():
        if body.startswith(magic):
            return kind + (" that no Content-Encoding declares" if kind in {"gzip", "zstd"} else "")
    if _HTML.match(start) or (start.startswith((b"<!--", b"<?xml")) and _HTML.search(start)):
        return "HTML"
    if start.startswith(b"<"):
        return "XML"
    if start.startswith((b"{", b"[")):
        return "JSON that is cut short or broken"
    text = _decode(body[:_SNIFFED])
    shown = sum(char.isprintable() or char in "\r\n\t" for char in text)
    return "text" if shown >= _PRINTABLE_SHARE * len(text) and "\0" not in text else "binary data"


def quote_text(text: str, secrets: Secrets, *, cut: bool = False, most: int = _MAX_QUOTE) -> str:
    """Text on one line, at most ``most`` characters, all of them printable, and none of the secrets.

    Nor is there the beginning of one where ``cut`` says that the text was cut, or where dots in it say so.
    """
    window = text[: 8 * most]
    if len(window) < len(text):
        cut = True
    shown = " ".join("".join(char if char.isprintable() else " " for char in window).split())
    for secret in secrets:
        for form in _list_forms(secret):
            *before, last = shown.replace(form, _MASK).split(_DOTS)
            last = _drop_beginning_of(form, last) if cut else last
            shown = _DOTS.join([*(_drop_beginning_of(form, part) for part in before), last])
        if holds_secret("".join(shown.split()), secret):
            return "(not shown: it holds the token)"
    return shown if len(shown) <= most else f"{shown[:most]}{_DOTS}"


def holds_secret(text: str, secret: str) -> bool:
    """Whether a text has a secret in it, in any form."""
    return any(form in text for form in _list_forms(secret)) or secret in unquote_plus(text)


def _list_forms(secret: str) -> set[str]:
    """A secret as it is, as URLs and forms have it, and as JSON has it."""
    encoded = {percent_encode(secret, safe=""), quote_plus(secret)}
    return {secret, *encoded, json.dumps(secret)[1:-1], secret.replace("/", "\\/")}


def _drop_beginning_of(secret: str, text: str) -> str:
    """Text whose end is not the beginning of the secret, where the rest of it was cut off."""
    for length in range(min(len(secret) - 1, len(text)), 3, -1):
        if text.endswith(secret[:length]):
            return text[:-length]
    return text


def show_target(url: httpx.URL, secrets: Secrets) -> str:
    """An address without user, password and query, which may hold secrets."""
    port = f":{url.port}" if url.port else ""
    return quote_text(f"{url.scheme}://{url.host}{port}{url.path}", secrets)


def _decode(body: bytes) -> str:
    return body.decode(json.detect_encoding(body), "replace")
