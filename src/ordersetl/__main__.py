"""``python -m ordersetl`` is the console script ``ordersetl``."""

from ordersetl.cli.app import main

main()
