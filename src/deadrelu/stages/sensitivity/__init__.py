"""sensitivity: the rows of Lu et al. under other readings of the paper, and when and where their networks die."""
