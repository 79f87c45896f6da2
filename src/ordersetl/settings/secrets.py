"""Secrets that are kept in files: ``api_token_file`` names one in place of ``api_token``, and so for each secret."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ordersetl.errors import ConfigError

__all__ = ["SUFFIX", "read_secret_files"]

SUFFIX = "_file"
"""What the name of a secret's setting ends in where its value is the path of a file."""
_MAX_BYTES = 64 * 1024


def read_secret_files(given: Mapping[str, Any], secrets: Collection[str], where: str) -> dict[str, Any]:
    """What is given, each ``..._file`` of a secret replaced by the secret that the file holds.

    Args:
        given: settings by name, of one place.
        secrets: names of the settings that are secrets.
        where: the place, for messages.

    Raises:
        ConfigError: a file cannot be read, or the secret is given as well.
    """
    read = dict(given)
    for name in sorted(secrets):
        key = f"{name}{SUFFIX}"
        if read.get(key) is None:
            continue
        if read.get(name) is not None:
            raise ConfigError(f"{name} and {key} are both set ({where})", hint="Leave one of them out.")
        read[name] = _read_secret(key, read.pop(key), where)
    return read


def _read_secret(key: str, path: object, where: str) -> str:
    hint = f"Give {key} the path of a text file that holds the secret and nothing else."
    if not isinstance(path, str) or not path or "\0" in path:
        raise ConfigError(f"{key} must be a path ({where})", hint=hint)
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        secret = content.decode("utf-8-sig").strip()
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no such home folder
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{key}: cannot read {path}: {reason} ({where})", hint=hint) from None
    except ValueError:
        raise ConfigError(f"{key}: {path} is not UTF-8 text ({where})", hint=hint) from None
    if not secret or len(content) > _MAX_BYTES:
        what = "is empty" if not secret else f"has more than {_MAX_BYTES // 1024} KiB"
        raise ConfigError(f"{key}: {path} {what} ({where})", hint=hint)
    return secret
