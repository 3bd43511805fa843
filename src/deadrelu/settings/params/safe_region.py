"""The group `safe_region`: how often ReLU networks are dead, over a grid of depths and widths."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from deadrelu.settings.params.group import Ascending, CaseKey, Epochs, Group, Trials
from deadrelu.settings.params.initializer import Initializer, InitializerOrRai, Rai, Settings


class Span(Group):
    """A range of integers from `low` to `high`, both included."""

    low: int = Field(ge=1, le=1000)
    high: int = Field(ge=1, le=1000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self

    @property
    def values(self) -> range:
        """All integers of the range."""
        return range(self.low, self.high + 1)


MAIN = "main"
"""Key of `safe_region.initializer` in tables; each of the other initializers has its own key."""

Sizes = Annotated[list[Annotated[int, Field(ge=1, le=100)]], Field(min_length=1, max_length=100), Ascending]


class TrainedGrid(Group):
    """Trained cells of the grid: the case `collapse.cases[of]` with these depths, widths and initializers."""

    old_keys = dict.fromkeys(("target", "biases", "batch_size"), "of, a case of collapse that has it")
    of: str
    depths: Sizes
    widths: Sizes
    initializers: list[str] = [MAIN]
    """Keys of the initializers, in `SafeRegionParams.initializers`; the first one is "main"."""
    trials: Trials | None = None
    epochs: Epochs | None = None


class OtherInitializer(Group):
    initializer: InitializerOrRai


class SafeRegionParams(Group):
    old_keys = {"beside": "other_initializers"}
    initializer: Initializer
    depth: Span
    width: Span
    networks: int = Field(ge=1, le=10_000_000)
    trained: TrainedGrid
    other_initializers: dict[CaseKey, OtherInitializer] = {}

    @field_validator("width")
    @classmethod
    def _fits_into_memory(cls, width: Span) -> Span:
        if width.high > 100:
            raise ValueError("high must be at most 100")
        return width

    @field_validator("other_initializers")
    @classmethod
    def _main_is_taken(cls, others: dict[str, OtherInitializer]) -> dict[str, OtherInitializer]:
        if MAIN in others:
            raise ValueError(f"another initializer cannot be called {MAIN!r}: that is safe_region.initializer")
        return others

    @model_validator(mode="after")
    def _trained_are_known(self) -> Self:
        keys, known = self.trained.initializers, list(self.initializers)
        if keys[:1] != [MAIN] or len(set(keys)) < len(keys) or not set(keys) <= set(known):
            raise ValueError(f"trained.initializers must be some of {', '.join(known)}, {MAIN} first, each once")
        return self

    @property
    def initializers(self) -> dict[str, Settings | Rai]:
        """All initializers by their keys; the first key is "main"."""
        return {MAIN: self.initializer, **{key: other.initializer for key, other in self.other_initializers.items()}}
