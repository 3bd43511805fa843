"""What the layers of any Keras model put out, forward and backward, and how its loss falls: all of TensorFlow."""
