"""Your own model: from a file or an object to a table, sentences, a figure and a page."""
