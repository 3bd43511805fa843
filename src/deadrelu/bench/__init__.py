"""What the trial engine is measured against, and how a run grows."""
