"""What a study says on a terminal or in a notebook: how far it is, and its answer."""
