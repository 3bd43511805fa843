"""Recording and measurement of PyTorch models. No other module of the package imports torch."""
