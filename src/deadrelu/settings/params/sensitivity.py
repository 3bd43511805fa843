"""`sensitivity`: what the published rates of Lu et al. depend on that their paper leaves open."""

from typing import Annotated

from pydantic import Field

from deadrelu.settings.params.collapse import AdamParams, SgdParams
from deadrelu.settings.params.group import CaseKey, Epochs, Group, Trials
from deadrelu.settings.params.initializer import FanScaled, InitializerOrRai, Rai

HE = FanScaled(name="he_normal")


class Reading(Group):
    """One way to read the paper: a ten-layer network of width 2 with biases, and its training.

    `initializer` is that of the row for the randomized asymmetric initialization; `he` that of the symmetric row.
    """

    hidden_layers: int = Field(default=9, ge=1, le=100)
    initializer: InitializerOrRai = Rai(name="rai")
    first_initializer: InitializerOrRai | None = None
    last_initializer: InitializerOrRai | None = None
    he: InitializerOrRai = HE
    optimizer: Annotated[AdamParams | SgdParams, Field(discriminator="name")] = AdamParams()
    batch_size: int = Field(default=64, ge=1)
    epochs: Epochs | None = None
    points: int = Field(default=3000, ge=2, le=1_000_000)
    end: float = Field(default=1.7320508075688772, gt=0, le=1000)


class PlaneParams(Group):
    """The row of two inputs and outputs: at each of these numbers of hidden layers."""

    hidden_layers: list[Annotated[int, Field(ge=1, le=100)]] = Field(min_length=1, max_length=10)
    width: int = Field(ge=1, le=100)
    epochs: Epochs


class SensitivityParams(Group):
    trials: Trials
    epochs: Epochs
    collapsed_within: float = Field(ge=0)
    readings: dict[CaseKey, Reading] = Field(min_length=1)
    base: Reading
    variations: dict[CaseKey, Reading] = {}
    plane: PlaneParams
    deaths: Annotated[int, Field(ge=1, le=10_000)]
