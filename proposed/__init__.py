"""The systems of the two papers that this benchmark grew around."""
