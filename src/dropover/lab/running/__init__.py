"""Trials run in parallel processes, stopped and guarded."""
