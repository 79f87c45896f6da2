"""JMESPath expressions (jmespath.org) of a description: parsed where it is read, evaluated by the library."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import GetPydanticSchema
from pydantic_core import core_schema

__all__ = ["Expression", "ExpressionText"]


@dataclass(frozen=True)
class Expression:
    """A JMESPath expression, valid as far as can be told without a record.

    Raises:
        ValueError: it cannot be parsed, or names a function that there is not.
    """

    text: str
    _compiled: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = jmespath.compile(self.text)
            _require_functions(compiled.parsed)
        except JMESPathError as error:
            reason = str(error).partition(", for expression")[0].partition("\n")[0]
            raise ValueError(f"is not a JMESPath expression: {self.text!r}: {reason}") from None
        object.__setattr__(self, "_compiled", compiled)

    @property
    def tree(self) -> Mapping[str, Any]:
        """The parsed expression: nodes of ``type``, ``children`` and perhaps ``value``."""
        return self._compiled.parsed  # type: ignore[no-any-return]

    @cached_property
    def path(self) -> tuple[str, ...] | None:
        """Names of members, from the outermost in, where that is all that the expression is; ``@`` is empty."""
        return _read_path(self.tree)

    def search(self, value: object) -> Any:  # noqa: ANN401 - any JSON value
        """What the expression says of a value; None where it says nothing, or cannot (a function of another type)."""
        try:
            return self._compiled.search(value)
        except JMESPathError:
            return None


def _read_path(node: Mapping[str, Any]) -> tuple[str, ...] | None:
    match node["type"]:
        case "current":
            return ()
        case "field":
            return (node["value"],)
        case "subexpression":
            parts = [_read_path(child) for child in node["children"]]
            return None if None in parts else tuple(name for part in parts for name in part or ())
        case _:
            return None


def _require_functions(node: Mapping[str, Any]) -> None:
    if node["type"] == "function_expression" and node["value"] not in jmespath.functions.Functions.FUNCTION_TABLE:
        raise JMESPathError(f"there is no function {node['value']}()")
    for child in node["children"]:
        _require_functions(child)


def _parse(value: object) -> Expression:
    if not isinstance(value, str):
        raise ValueError("must be a JMESPath expression, as text")  # noqa: TRY004 - pydantic collects ValueError
    return Expression(value)


ExpressionText = Annotated[
    Expression,
    GetPydanticSchema(
        lambda _source, _handler: core_schema.no_info_before_validator_function(
            _parse,
            core_schema.any_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda expression: expression.text),
            json_schema_input_schema=core_schema.str_schema(),
        )
    ),
]
"""An expression in a pydantic model: text in the file, parsed in the model."""
