"""What is collected from inside a net: pure functions of a model and images, one file an idea."""
