"""Scores, intervals and tests from stored predictions."""
