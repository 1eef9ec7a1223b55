"""asc-bench: published acoustic scene classification systems under shared, official protocols."""

__version__ = "0.1.0"
