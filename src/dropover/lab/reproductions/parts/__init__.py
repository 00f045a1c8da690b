"""What the tables and figures share: asking for studies, running them, and drawing and writing what they brought."""
