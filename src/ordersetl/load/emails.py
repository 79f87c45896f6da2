"""What dim_user shows of emails: all of them, their hashes, or nothing."""

import hmac

import polars as pl

from ordersetl.settings import Settings

__all__ = ["show_emails"]


def show_emails(emails: pl.Series, settings: Settings) -> pl.Series:
    """Emails as they are, or as the setting ``emails`` says: null, or the HMAC-SHA-256 of each, in hex.

    Of an email, stripped and in lower case, with the setting ``emails_key`` as the key (RFC 2104).
    """
    if settings.emails == "keep":
        return emails
    if settings.emails == "drop" or settings.emails_key is None:
        return pl.repeat(None, n=len(emails), dtype=pl.String, eager=True).alias(emails.name)
    key = settings.emails_key.get_secret_value().encode()
    distinct = emails.drop_nulls().unique()
    hashes = [hmac.digest(key, email.strip().lower().encode(), "sha256").hex() for email in distinct]
    return emails.replace_strict(distinct, pl.Series(hashes, dtype=pl.String), default=None, return_dtype=pl.String)
