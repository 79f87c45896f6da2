"""``python -m ordersetl`` is the console script ``ordersetl``."""

from ordersetl.cli import main

main()
