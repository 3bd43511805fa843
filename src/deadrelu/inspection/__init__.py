"""Inspection of a user's own model: from a file or an object to findings, a table, a figure and a page."""
