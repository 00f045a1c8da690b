"""What a trained net looks like from inside: its pictures, as files and on one page."""
