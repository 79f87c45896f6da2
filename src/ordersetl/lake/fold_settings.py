"""The settings that the curated layer's content depends on: recorded with what was made under them."""

import hashlib

import msgspec

from ordersetl.settings import CANCELLED_STATUSES, Settings
from ordersetl.zones import hash_zone

__all__ = ["DEFAULTS", "FoldSettings"]

_FINGERPRINT_DIGITS = 8


class FoldSettings(msgspec.Struct, frozen=True):
    """What the same raw batches are folded by: where any of it changes, all is folded again.

    ``timezone`` is the IANA name of the zone whose days the partitions are, ``zone_data`` tells the version of what is
    known of it (empty for UTC, of which all is known); ``cancelled_statuses`` are in lower case
    and sorted; ``emails`` is ``keep``, ``drop`` or ``hash:`` and the first digits of the key's SHA-256;
    ``mapping`` tells how the newest batch's source is mapped, empty where its records are orders as they are.
    """

    timezone: str = "UTC"
    cancelled_statuses: tuple[str, ...] = CANCELLED_STATUSES
    emails: str = "keep"
    zone_data: str = ""
    mapping: str = ""

    @classmethod
    def of(cls, settings: Settings, mapping: str = "") -> "FoldSettings":
        """Those of a command, under the mapping that is in force."""
        emails: str = settings.emails
        if settings.emails == "hash" and settings.emails_key is not None:
            key = settings.emails_key.get_secret_value().encode()
            emails = f"hash:{hashlib.sha256(key).hexdigest()[:_FINGERPRINT_DIGITS]}"
        zone_data = "" if settings.timezone == "UTC" else hash_zone(settings.timezone)
        return cls(settings.timezone, settings.cancelled_statuses, emails, zone_data, mapping)

    @property
    def of_staging(self) -> "FoldSettings":
        """Those of them that staged files depend on: what dim_user shows of emails is not one."""
        return msgspec.structs.replace(self, emails="keep")


DEFAULTS = FoldSettings()
"""What counts where nothing is set."""
