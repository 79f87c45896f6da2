"""The URL that somebody is told by."""

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr

__all__ = ["NotifyUrl"]


def _read_postable_url(value: SecretStr | None) -> SecretStr | None:
    """The URL, None for an empty one. It may name a secret in its path or query, as chat services have it.

    Raises:
        ValueError: it is none.
    """
    url = value.get_secret_value().strip() if value is not None else ""
    if url and not re.fullmatch(r"https?://[^\s/?#]+\S*", url):
        raise ValueError("must be an http:// or https:// URL")
    return SecretStr(url) if url else None


NotifyUrl = Annotated[SecretStr | None, AfterValidator(_read_postable_url)]
"""An http:// or https:// URL that may hold a secret; None for none."""
