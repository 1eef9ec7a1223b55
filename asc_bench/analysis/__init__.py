"""Looking into fitted systems."""
