"""Settings: a flag goes before the environment, the environment before ``ordersetl.toml``, that before the default."""

from ordersetl.settings.loading import CONFIG_FILE, load_given, load_settings
from ordersetl.settings.model import CANCELLED_STATUSES, Settings
from ordersetl.settings.span import read_span

__all__ = ["CANCELLED_STATUSES", "CONFIG_FILE", "Settings", "load_given", "load_settings", "read_span"]
