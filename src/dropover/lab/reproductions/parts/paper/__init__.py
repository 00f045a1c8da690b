"""A reproduction's files: the page, and each table and picture as SVG, PDF, PNG and CSV."""
