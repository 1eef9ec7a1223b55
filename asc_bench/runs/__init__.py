"""Plan, compute and store runs."""
