"""Test that the mean loss is exact to float32 and does not depend on other networks."""

from math import fsum

import numpy as np
import pytest

from deadrelu import engine


@pytest.mark.parametrize("loss", ["mean_squared_error", "mean_absolute_error"])
@pytest.mark.parametrize("n_points", [1, 2, 3, 7, 1000, 3001])
def test_mean_loss_is_the_exact_mean(loss: str, n_points: int) -> None:
    """The loss is Python's exact mean up to the rounding of the result; one network alone has the same bits."""
    rng = np.random.default_rng(n_points)
    predictions = rng.normal(size=(5, n_points, 2)).astype(np.float32)
    y = rng.normal(size=(n_points, 2)).astype(np.float32)
    training = engine.Training(epochs=1, batch_size=1, loss=loss)  # type: ignore[arg-type]
    means = engine.mean_loss(training, predictions, y)
    errors = predictions - y
    terms = np.square(errors) if loss == "mean_squared_error" else np.abs(errors)
    exact = [fsum(row.ravel().tolist()) / row.size for row in terms]
    np.testing.assert_array_max_ulp(means, np.float32(exact), maxulp=1)
    for k in range(5):
        assert engine.mean_loss(training, predictions[k : k + 1], y).tobytes() == means[k : k + 1].tobytes()
