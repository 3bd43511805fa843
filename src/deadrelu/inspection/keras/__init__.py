"""Keras models: their calls recorded, their layers found and measured. Nothing else of `inspection` imports Keras."""
