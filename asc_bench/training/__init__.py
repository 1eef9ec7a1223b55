"""The one training loop, and what decides how long and where it runs."""
