"""`sensitivity`: tables of variations, each of which changes one thing of a case of `collapse`."""

from pydantic import Field

from deadrelu.settings.params.collapse import Trainable
from deadrelu.settings.params.data import TargetParams
from deadrelu.settings.params.group import CaseKey, Group


class Variation(Trainable):
    """A case with some keys replaced, and its target with some keys replaced."""

    target: TargetParams


class SensitivityTable(Group):
    """`of` is a key of `collapse.cases`; in the file, a variation has only the keys that it changes."""

    of: str
    variations: dict[CaseKey, Variation] = Field(min_length=1)
