"""Recording and measurement of Keras models. Outside, only `model_file` and `watch` of `inspection` import Keras."""
