"""Measure signals, gradients and losses of Keras models with TensorFlow."""
