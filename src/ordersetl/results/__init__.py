"""What the stages return: frozen, typed, ready to be rendered or turned into JSON."""

from ordersetl.results.checks import (
    BridgeMetric,
    CheckMetrics,
    CheckOutcome,
    CheckResult,
    CountryMetric,
    CurrencyMetric,
    DayMetric,
    LayerTotals,
    OpenOrder,
    OpenQuarantine,
    ProductMetric,
)
from ordersetl.results.figures import DaySales, LayerFigures, Period, RejectExample, Share
from ordersetl.results.plain import to_plain
from ordersetl.results.stages import (
    BackfillResult,
    Damage,
    ExtractResult,
    LoadResult,
    OrderChanges,
    RunResult,
    TransformResult,
)

__all__ = [
    "BackfillResult",
    "BridgeMetric",
    "CheckMetrics",
    "CheckOutcome",
    "CheckResult",
    "CountryMetric",
    "CurrencyMetric",
    "Damage",
    "DayMetric",
    "DaySales",
    "ExtractResult",
    "LayerFigures",
    "LayerTotals",
    "LoadResult",
    "OpenOrder",
    "OpenQuarantine",
    "OrderChanges",
    "Period",
    "ProductMetric",
    "RejectExample",
    "RunResult",
    "Share",
    "TransformResult",
    "to_plain",
]
