"""Frozen networks that others trained, as front ends: a clip becomes the moments of its embeddings."""
