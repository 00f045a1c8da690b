"""What the tables and figures share: asking for studies, running them, and turning their rows into cells and claims."""
