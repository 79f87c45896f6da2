"""The files of the user's own checks: which there are, and what is in them."""

from pathlib import Path

from ordersetl.errors import ConfigError
from ordersetl.settings.model import Settings

__all__ = ["list_check_files", "read_check_file"]

_MAX_BYTES = 1 << 20


def list_check_files(settings: Settings) -> list[Path]:
    """The ``*.sql`` files of the folder ``checks``, by name; none where it is not set, and the usual one is not there.

    The ending may be in capitals.

    Raises:
        ConfigError: one was set, and is not there or cannot be read.
    """
    folder = settings.checks
    if not folder.is_dir():
        if "checks" not in settings.model_fields_set:
            return []
        raise ConfigError(f"there is no folder of checks {folder}", hint="Make it, or correct the setting checks.")
    try:
        files = (path for path in folder.iterdir() if path.suffix.lower() == ".sql")
        return sorted(path for path in files if not path.name.startswith("."))
    except OSError as error:
        raise ConfigError(
            f"cannot read the folder of checks {folder}: {error.strerror}", hint="Give this user permission to read it."
        ) from None


def read_check_file(path: Path) -> str:
    """What is in one of them.

    Raises:
        ConfigError: it is no file, too large, cannot be read, or is not UTF-8.
    """
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise ConfigError(
                f"the check {path} is not a file of at most {_MAX_BYTES >> 20} MiB", hint="Move it away, or shorten it."
            )
        return path.read_text("utf-8-sig")  # which Windows editors write
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read the check {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}",
            hint="Correct the file, or move it away.",
        ) from None
