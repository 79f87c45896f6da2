"""What drifts: amounts that their parts explain less and less."""

from decimal import Decimal

from ordersetl.results import BridgeMetric

__all__ = ["describe_other"]

_NOTABLE_OTHER = Decimal("0.01")
"""Share of an amount that no line, discount, tax or shipping explains, from which on it is worth a look."""


def describe_other(bridge: BridgeMetric) -> str | None:
    """How much of an amount is in nothing that the orders say of it; None where that is not worth a look."""
    if not bridge.amount or abs(bridge.other / bridge.amount) < _NOTABLE_OTHER:
        return None
    share = f"{bridge.other / bridge.amount:.1%}"
    return f"{bridge.currency or '(none)'}: {share} of the amount is in no line, discount, tax or shipping"
