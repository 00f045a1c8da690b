"""How a network is trained, and trained ones kept."""
