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
from ordersetl.results.warehouse import SqlScript, WarehouseResult

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
    "ExtractResult",
    "LayerTotals",
    "LoadResult",
    "OpenOrder",
    "OpenQuarantine",
    "OrderChanges",
    "ProductMetric",
    "RunResult",
    "SqlScript",
    "TransformResult",
    "WarehouseResult",
    "to_plain",
]
