"""What is built from the repository, installed where nothing else is."""
