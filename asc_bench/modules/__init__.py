"""Torch building blocks that two systems share."""
