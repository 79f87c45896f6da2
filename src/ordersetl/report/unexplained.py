"""What drifts: amounts that their parts explain less and less."""

from decimal import Decimal

from ordersetl.results import BridgeMetric

__all__ = ["find_unexplained"]

_NOTABLE = Decimal("0.01")


def find_unexplained(bridge: BridgeMetric) -> Decimal | None:
    """The share of an amount that is in no line, discount, tax or shipping; None where that is not worth a look."""
    if not bridge.amount or abs(bridge.other / bridge.amount) < _NOTABLE:
        return None
    return bridge.other / bridge.amount
