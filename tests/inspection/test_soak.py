"""Test that healthy models of other libraries have no errors, and few of them false warnings.

The tests need `pip install torchvision timm transformers keras-hub`, and take some minutes for so many models.
"""

import gc

import pytest
from inspection import strangers

from deadrelu.inspection.inspect import inspect

TRUE = {
    "torchvision.alexnet": "PyTorch's default initializer is too small for ReLU",
    "torchvision.vgg11": "its initializer is made for the gradient: the signal shrinks where channels grow",
    "keras.applications.VGG16": "Glorot's initializer is too small for ReLU",
    "keras_hub.T5Backbone": "its embeddings are drawn with mean 1 in the place of a standard deviation of 1",
}
"""Models whose default weights have a fault, with a description of it."""

MAX_SHARE = 0.1
"""Maximum number of models without a fault that may have a warning, as a share of all models."""

pytestmark = [pytest.mark.soak, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(
    ("library", "models"), [("timm", strangers.TORCH), ("keras_hub", strangers.KERAS)], ids=["PyTorch", "Keras"]
)
def test_healthy_models_have_no_errors(library: str, models: dict[str, strangers.Builder]) -> None:
    pytest.importorskip(library, reason="`pip install torchvision timm transformers keras-hub` runs this")
    warned = {}
    for name, build in models.items():
        stranger = build()
        inspection = inspect(stranger.model, stranger.inputs, training=stranger.training)
        errors = [finding.message for finding in inspection.findings if finding.severity == "error"]
        assert not errors or name in TRUE, f"{name}: {errors}"
        warnings = [finding.message for finding in inspection.findings if finding.severity == "warning"]
        if warnings and name not in TRUE:
            warned[name] = warnings
        del stranger, inspection
        gc.collect()
    assert len(warned) <= MAX_SHARE * len(models), warned
