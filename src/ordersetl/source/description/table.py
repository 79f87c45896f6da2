"""The kind of model that a table of a description is."""

from collections.abc import Callable
from typing import Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, model_validator

__all__ = ["KEPT", "Table", "is_kept", "unless_kept"]

KEPT = "kept"
"""Context of validation of a description that batches were fetched by: what was taken then can be read for ever."""


def is_kept(info: ValidationInfo) -> bool:
    """Whether it is a description that batches keep, of which only the form counts, and not whether it can be meant."""
    return bool(info.context == KEPT)


def unless_kept(check: Callable[[str], str]) -> AfterValidator:
    """A check of a text, and what it makes of it; where batches keep the description, the text is as it is."""
    return AfterValidator(lambda text, info: text if is_kept(info) else check(text))


class Table(BaseModel):
    """A table of the file: unknown keys are refused, and what it cannot mean, unless it is kept with batches."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    def _check(self) -> None:
        """Check that the keys of the table can be meant together.

        Raises:
            ValueError: they cannot.
        """

    @model_validator(mode="after")
    def _check_unless_kept(self, info: ValidationInfo) -> Self:
        if not is_kept(info):
            self._check()
        return self
