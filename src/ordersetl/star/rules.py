"""The version of the data rules and the scale of amounts: apart from the schema, for what does without frames."""

__all__ = ["COLUMNS_SINCE", "MONEY_SCALE", "RULES"]

RULES = 5
"""Version of the data rules: raised when the result for some payload changes, so that all is folded again."""
COLUMNS_SINCE = 3
"""The first of them under which curated files have the schema's columns: what is older cannot be read as its tables."""
MONEY_SCALE = 4
"""Digits after the point of every amount, price and quantity."""
