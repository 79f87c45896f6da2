"""Expressions that are answered without the library say what the library says."""

from typing import Any

import jmespath
import pytest
from hypothesis import given, strategies as st

from ordersetl.source.description.expressions import Expression

NAMES = ("a", "b", "c")
LEAVES = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "x"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
)


@pytest.mark.parametrize(
    "text", ["@", "a", "a.b", "a.b.c", "[*]", "a[*]", "[*].b", "a[*].b.c", "a.b[*].c", "(a.b)[*].c", "a[*].b[*].c"]
)
@given(value=VALUES)
def test_paths_and_lists_of_paths_are_what_the_library_says(text: str, value: Any) -> None:
    assert Expression(text).search(value) == jmespath.search(text, value)
