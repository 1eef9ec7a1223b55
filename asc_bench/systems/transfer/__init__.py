"""Transfer of trained networks to another task."""
