"""A search for a regularizer, its place and strength: arms are proposed, tried, raced, and the best tested afresh."""
