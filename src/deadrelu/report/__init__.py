"""Make figures, sentences, the notebook and the page from the numbers."""
