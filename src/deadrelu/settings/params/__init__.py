"""`params.yaml` as frozen, typed groups, with a module for each group.

Pydantic checks the values: it reports the location of a wrong value in the file, and rejects unknown keys and values
of other types (`strict`). Discriminated unions give every initializer its own arguments.
"""

from deadrelu.settings.params.collapse import AdamParams, CollapseCase, CollapseParams, SgdParams, Trainable
from deadrelu.settings.params.data import DataParams, MnistParams, TargetParams
from deadrelu.settings.params.group import CASE_KEY, Group
from deadrelu.settings.params.initializer import (
    Constant,
    FanScaled,
    Identity,
    Initializer,
    Normal,
    Orthogonal,
    Rai,
    Settings,
    Uniform,
    VarianceScaling,
    ZerosOrOnes,
)
from deadrelu.settings.params.load import load
from deadrelu.settings.params.safe_region import MAIN, OtherInitializer, SafeRegionParams
from deadrelu.settings.params.sensitivity import SensitivityTable, Variation
from deadrelu.settings.params.signals import (
    ActivationCase,
    ActivationsParams,
    MlpParams,
    SizesOfTraining,
    TrainingCase,
    TrainingParams,
)
from deadrelu.settings.params.whole import Params

__all__ = [
    "CASE_KEY",
    "MAIN",
    "ActivationCase",
    "ActivationsParams",
    "AdamParams",
    "CollapseCase",
    "CollapseParams",
    "Constant",
    "DataParams",
    "FanScaled",
    "Group",
    "Identity",
    "Initializer",
    "MlpParams",
    "MnistParams",
    "Normal",
    "Orthogonal",
    "OtherInitializer",
    "Params",
    "Rai",
    "SafeRegionParams",
    "SensitivityTable",
    "Settings",
    "SgdParams",
    "SizesOfTraining",
    "TargetParams",
    "Trainable",
    "TrainingCase",
    "TrainingParams",
    "Uniform",
    "VarianceScaling",
    "Variation",
    "ZerosOrOnes",
    "load",
]
