"""Make metrics, figures, sentences, the notebook, and the page with its programs from the numbers."""
