"""Shares: a value of an order is split over its rows, and nothing of it is lost or made up."""

from collections.abc import Sequence

import polars as pl

__all__ = ["share"]


def share(values: pl.Series, weights: Sequence[pl.Series], pos: pl.Series) -> pl.Series:
    """Each row's share of its order's value, by cumulative rounding.

    With A the order's value, w_i the weights of its rows, C_i their running sum and W their total:
    share_i = A*C_i // W - A*C_{i-1} // W. The shares sum to A exactly, and each is less than one unit from its exact
    share A*w_i / W; of a value that is not negative none is negative. (The method of cumulative rounding; see "Cascade
    rounding", Wikipedia.) A*C stays below 10^36, within Int128.

    Args:
        values: the order's value on each of its rows, in units of 0.0001, Int128; null where there is none.
        weights: alternatives, each Int128, no null, none negative; of an order the first counts that is not all 0. The
            last must not be all 0 of any order.
        pos: which order a row belongs to; an order's rows are neighbours.

    Returns:
        Units of 0.0001, Int128; null where ``values`` is.
    """
    given = values.is_not_null()
    if given.all():
        return _share(values, weights, pos)
    shares = pl.repeat(None, n=len(values), dtype=pl.Int128, eager=True)
    if not given.any():
        return shares
    some = _share(values.filter(given), [weight.filter(given) for weight in weights], pos.filter(given))
    return shares.scatter(given.arg_true(), some)


def _share(values: pl.Series, weights: Sequence[pl.Series], pos: pl.Series) -> pl.Series:
    begins = pos.ne_missing(pos.shift(1))
    ends = begins.shift(-1, fill_value=True)
    order = begins.cum_sum() - 1
    weight = weights[-1]
    for preferred in reversed(weights[:-1]):
        _, total = _sums(preferred, ends)
        weight = weight.zip_with((total == 0).gather(order), preferred)
    before, total = _sums(weight, ends)
    upto = values * (weight.cum_sum() - before.gather(order)) // total.gather(order)
    return upto - upto.shift(1, fill_value=0).set(begins, 0)


def _sums(weight: pl.Series, ends: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Of each order, the sum of all orders before it and its own; a window function would be fifty times slower."""
    upto = weight.cum_sum().filter(ends)
    before = upto.shift(1, fill_value=0)
    return before, upto - before
