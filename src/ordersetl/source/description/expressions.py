"""JMESPath expressions (jmespath.org) of a description: parsed where it is read, evaluated by the library."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions, signature
from jmespath.visitor import TreeInterpreter
from pydantic import GetPydanticSchema, ValidationInfo
from pydantic_core import core_schema

from ordersetl.source.description.table import is_kept

__all__ = ["FAILED", "Expression", "ExpressionText", "holds_of", "is_true"]

FAILED = {"failed": "an expression"}
"""Stands for the value of an expression that failed: no rule takes it for an id, an amount or a time."""
_MAX_DEPTH = 50
"""Of an expression: all that goes from one part into the next stays far below Python's own limit."""
_TOO_DEEP = f"is nested too deeply: {_MAX_DEPTH} parts in one another are the most"
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


def is_true(value: object) -> bool:
    """Whether what an expression found is true in the sense of JMESPath: not null, false or empty; 0 is."""
    return value is not None and value is not False and value not in ("", [], {})


class _ExactFunctions(Functions):
    """The library's functions on the numbers of payloads, which are exact: it knows int and float alone."""

    def _get_allowed_pytypes(self, types: Sequence[str]) -> tuple[list[str], list[tuple[str, ...]]]:
        allowed, of_elements = super()._get_allowed_pytypes(types)  # type: ignore[misc]
        return (
            [*allowed, "Decimal"] if "float" in allowed else allowed,
            [(*names, "Decimal") if "float" in names else names for names in of_elements],
        )

    def _convert_to_jmespath_type(self, pyobject: str) -> str:
        return "number" if pyobject == "Decimal" else super()._convert_to_jmespath_type(pyobject)  # type: ignore[misc]

    @signature({"types": []})
    def _func_to_number(self, arg: object) -> int | float | Decimal | None:
        if isinstance(arg, int | float | Decimal) and not isinstance(arg, bool):
            return arg
        if not isinstance(arg, str) or not arg.strip():
            return None
        if not _NUMBER.fullmatch(arg.strip()):  # null, as the library has it, would be an amount that nobody gave
            raise JMESPathError("to_number() was given a text that is not a number")
        return Decimal(arg.strip())

    @signature({"types": []})
    def _func_to_string(self, arg: object) -> str:
        return arg if isinstance(arg, str) else _encoder.encode(arg).decode()


_encoder = msgspec.json.Encoder(decimal_format="number")
_OPTIONS = jmespath.Options(custom_functions=_ExactFunctions())
_FAILURES = (JMESPathError, ArithmeticError, TypeError, ValueError)
"""What the library raises where a function is given something of another type than it takes."""


def holds_of(tree: Mapping[str, Any], value: object) -> bool:
    """Whether a part of an expression, by its tree, is true of a value; where it fails it is not."""
    try:
        return is_true(TreeInterpreter(_OPTIONS).visit(tree, value))  # type: ignore[arg-type] # its own tree
    except _FAILURES:
        return False


@dataclass(frozen=True)
class Expression:
    """A JMESPath expression, valid as far as can be told without a record.

    Raises:
        ValueError: it cannot be parsed, names a function that there is not, or gives one too many or few arguments.
    """

    text: str
    depth: int = field(init=False, repr=False, compare=False)
    """How many of its parts are in one another."""
    _compiled: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = jmespath.compile(self.text)
            depth = _prepare(compiled.parsed)
        except JMESPathError as error:
            reason = str(error).partition(", for expression")[0].partition("\n")[0]
            raise ValueError(f"is not a JMESPath expression: {self.text!r}: {reason}") from None
        except RecursionError:
            raise ValueError(_TOO_DEEP) from None
        object.__setattr__(self, "_compiled", compiled)
        object.__setattr__(self, "depth", depth)

    @property
    def tree(self) -> Mapping[str, Any]:
        """The parsed expression: nodes of ``type``, ``children`` and perhaps ``value``."""
        return self._compiled.parsed  # type: ignore[no-any-return]

    @cached_property
    def path(self) -> tuple[str, ...] | None:
        """Names of members, from the outermost in, where that is all that the expression is; ``@`` is empty."""
        return _read_path(self.tree)

    def search(self, value: object, *, failed: object = None) -> Any:  # noqa: ANN401 - any JSON value
        """What the expression says of a value; None where it says nothing, ``failed`` where it cannot.

        It cannot where a function is given something of another type than it takes. Functions take numbers as ints and
        exact decimals, and give such.
        """
        if self.path is not None:  # as the library does, in a twentieth of its time
            return _follow(self.path, value)
        if self._projection is not None:
            listed, wanted = self._projection
            elements = _follow(listed, value)
            if not isinstance(elements, list):
                return None
            return [found for element in elements if (found := _follow(wanted, element)) is not None]
        try:
            return self._compiled.search(value, options=_OPTIONS)
        except _FAILURES:
            return failed

    @cached_property
    def _projection(self) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """The way to a list, and from each of its elements on, where that is all that the expression is."""
        node, way = self.tree, []
        if node["type"] == "subexpression":
            *way, node = node["children"]
        if node["type"] != "projection":
            return None
        paths = [_read_path(part) for part in (*way, *node["children"])]
        *listed, wanted = (path for path in paths if path is not None)
        return None if None in paths else (tuple(name for path in listed for name in path), wanted)


def _follow(path: tuple[str, ...], value: Any) -> Any:  # noqa: ANN401 - any JSON value
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _read_path(node: Mapping[str, Any]) -> tuple[str, ...] | None:
    match node["type"]:
        case "current" | "identity":
            return ()
        case "field":
            return (node["value"],)
        case "subexpression":
            parts = [_read_path(child) for child in node["children"]]
            return None if None in parts else tuple(name for part in parts for name in part or ())
        case _:
            return None


def _prepare(node: Any) -> int:  # noqa: ANN401 - a node of the library's tree
    """Look for functions that cannot be called, make numbers that stand in the expression exact, and count its depth.

    Raises:
        JMESPathError: there is such a function.
    """
    if node["type"] == "function_expression":
        _require_callable(node["value"], len(node["children"]))
    if node["type"] == "literal":
        node["value"] = _make_exact(node["value"])
    if node["type"] == "slice":  # whose children are numbers
        return 0
    is_path = node["type"] in {"subexpression", "index_expression"}  # of which each part is in the one before
    step = len(node["children"]) if is_path else 1
    depth = 0
    for child in node["children"]:
        depth = max(depth, step + _prepare(child))
    return depth


def _require_callable(name: str, given: int) -> None:
    if (known := _ExactFunctions.FUNCTION_TABLE.get(name)) is None:
        raise JMESPathError(f"there is no function {name}()")
    wanted = known["signature"]
    has_more = wanted[-1].get("variadic", False)
    if given < len(wanted) or (given > len(wanted) and not has_more):
        counted = "one argument" if len(wanted) == 1 else f"{len(wanted)} arguments"
        raise JMESPathError(f"{name}() takes {counted}{' or more' if has_more else ''}, and has {given}")


def _make_exact(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [_make_exact(element) for element in value]
    if isinstance(value, dict):
        return {name: _make_exact(member) for name, member in value.items()}
    return Decimal(repr(value)) if isinstance(value, float) else value


def _parse(value: object, info: ValidationInfo) -> Expression:
    if not isinstance(value, str):
        raise ValueError("must be a JMESPath expression, as text")  # noqa: TRY004 - pydantic collects ValueError
    expression = Expression(value)
    if expression.depth > _MAX_DEPTH and not is_kept(info):
        raise ValueError(_TOO_DEEP)
    return expression


ExpressionText = Annotated[
    Expression,
    GetPydanticSchema(
        lambda _source, _handler: core_schema.with_info_before_validator_function(
            _parse,
            core_schema.any_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda expression: expression.text),
            json_schema_input_schema=core_schema.str_schema(),
        )
    ),
]
"""An expression in a pydantic model: text in the file, parsed in the model."""
