"""What is built of the repository, and what it is worth where nothing else is."""
