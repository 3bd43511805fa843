"""Present results against the accepted ones: a verdict."""
