"""`params.yaml` as frozen, typed groups, a module for each.

Pydantic checks the values: it reports where in the file a value stands, it refuses unknown keys and
silent conversions (`strict`), and discriminated unions give every initializer its own arguments.
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
    CnnParams,
    MlpParams,
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
    "CnnParams",
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
