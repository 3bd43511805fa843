"""The groups `activations` and `training`: Keras networks on MNIST, untrained and trained."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from deadrelu.settings.params.group import CaseKey, Group
from deadrelu.settings.params.initializer import Initializer


class MlpParams(Group):
    hidden_layers: int = Field(ge=1, le=200)
    width: int = Field(ge=1, le=10_000)


class ActivationCase(Group):
    activation: Literal["relu", "tanh", "sigmoid"]
    initializer: Initializer


class EnsembleParams(Group):
    """Numbers of networks per case, and of images, for estimates of a signal's growth factor per layer."""

    networks: int = Field(ge=2, le=10_000)
    images: int = Field(ge=2, le=1000)


class ActivationsParams(Group):
    network: MlpParams
    ensemble: EnsembleParams
    layer_seeds: Literal["independent", "shared"]
    every: int = Field(ge=1)
    cases: dict[CaseKey, ActivationCase] = Field(min_length=1)

    @field_validator("cases")
    @classmethod
    def _names_are_taken(cls, cases: dict[str, ActivationCase]) -> dict[str, ActivationCase]:
        if taken := {"summary", "networks"} & cases.keys():
            raise ValueError(f"a case cannot be called {min(taken)!r}: that is the name of a table of all cases")
        return cases


class TrainingCase(Group):
    network: Literal["mlp", "cnn"]
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    initializer: Initializer

    @model_validator(mode="after")
    def _cnn_is_the_notebooks(self) -> Self:
        if self.network == "cnn" and self.activation != "relu":
            raise ValueError("the notebook's cnn has the activation relu")
        if self.network == "cnn" and self.initializer.name == "identity":
            raise ValueError("identity is for dense layers; the cnn has kernels of four axes")
        return self


class SizesOfTraining(Group):
    examples: int = Field(ge=1, le=60_000)
    validation: int = Field(ge=1, le=10_000)
    epochs: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=1)
    trials: int = Field(ge=1, le=1000)


class TrainingParams(SizesOfTraining):
    mlp: MlpParams
    cnn: SizesOfTraining
    cases: dict[CaseKey, TrainingCase] = Field(min_length=1)

    def sizes(self, network: str) -> SizesOfTraining:
        """Return the group with the numbers of examples, epochs, trials and so on for a network, "mlp" or "cnn"."""
        return self.cnn if network == "cnn" else self
