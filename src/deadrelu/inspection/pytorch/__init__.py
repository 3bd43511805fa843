"""Recording and measurement of PyTorch models. No module outside this folder imports torch."""
