"""The lab: trains a network under many regularisers with everything else equal, and measures what each one does."""
