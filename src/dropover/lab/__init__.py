"""The lab: trains a network under many regularizers with everything else equal, and measures what each one does."""
