"""The tables of a report."""

from asc_bench.reporting.comparisons import per_run_table, significance_text_table
from asc_bench.reporting.groups import groups_table
from asc_bench.reporting.results import published_table, results_table
from asc_bench.reporting.table import Table

__all__ = [
    "Table",
    "groups_table",
    "per_run_table",
    "published_table",
    "results_table",
    "significance_text_table",
]
