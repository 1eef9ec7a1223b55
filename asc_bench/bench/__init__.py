"""A protocol on a data set, and everything that a run on it depends on."""
