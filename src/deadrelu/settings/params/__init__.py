"""`params.yaml` as frozen, typed groups, with a module for each group.

Pydantic checks the values: it reports the location of a wrong value in the file, and rejects unknown keys and values
of other types (`strict`). Discriminated unions give every initializer its own arguments.
"""

from deadrelu.settings.params.collapse import CollapseCase, Trainable
from deadrelu.settings.params.data import TargetParams
from deadrelu.settings.params.group import CASE_KEY
from deadrelu.settings.params.initializer import (
    Constant,
    FanScaled,
    Identity,
    Normal,
    Orthogonal,
    Rai,
    Settings,
    Uniform,
    VarianceScaling,
    ZerosOrOnes,
)
from deadrelu.settings.params.load import load
from deadrelu.settings.params.safe_region import MAIN
from deadrelu.settings.params.sensitivity import Variation
from deadrelu.settings.params.signals import ActivationCase, ActivationsParams, SizesOfTraining, TrainingCase
from deadrelu.settings.params.whole import Params

__all__ = [
    "CASE_KEY",
    "MAIN",
    "ActivationCase",
    "ActivationsParams",
    "CollapseCase",
    "Constant",
    "FanScaled",
    "Identity",
    "Normal",
    "Orthogonal",
    "Params",
    "Rai",
    "Settings",
    "SizesOfTraining",
    "TargetParams",
    "Trainable",
    "TrainingCase",
    "Uniform",
    "VarianceScaling",
    "Variation",
    "ZerosOrOnes",
    "load",
]
