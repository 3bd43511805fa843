"""safe_region: how often networks of each depth and width are dead, untrained and trained, and what they compute."""
