"""Recordings: where they lie, what they are, and how they are read."""
