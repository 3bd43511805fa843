"""What initialization does to a network's signals, and how often a narrow ReLU network is dead."""
