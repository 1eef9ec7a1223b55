"""A storm of faults: the harness is killed, its files are damaged, its disk is filled; see docs/reliability.md."""
