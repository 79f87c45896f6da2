"""The command line: parse, one library call, show the result."""

from ordersetl.cli.app import app, main

__all__ = ["app", "main"]
