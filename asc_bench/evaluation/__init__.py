"""Scores and their certainty, from stored predictions alone. Nothing here imports torch."""
