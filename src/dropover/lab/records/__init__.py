"""What a trial is determined by, and its results on disk."""
