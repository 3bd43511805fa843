"""What the trial engine is measured against, how a run grows, and whether shuffles matter. Not in the wheel."""
