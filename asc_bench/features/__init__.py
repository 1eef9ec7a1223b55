"""Front ends and their cache."""
