"""The page that shows a study's results."""
