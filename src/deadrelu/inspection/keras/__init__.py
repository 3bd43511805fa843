"""Recording and measurement of Keras models. Elsewhere in `inspection`, only `model_file` and `watch` import Keras."""
