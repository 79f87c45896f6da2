"""Export: a table or view of the curated layer, or some of its days, as one file for somebody else."""
