"""What the long table says: figures over seeds, tests, and words."""
