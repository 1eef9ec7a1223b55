"""Published results as data: one CSV per table."""
