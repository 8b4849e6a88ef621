"""The command line: a client of `/v1` and of nothing else."""
