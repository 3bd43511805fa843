"""From the numbers to figures, sentences, the notebook and the page."""
