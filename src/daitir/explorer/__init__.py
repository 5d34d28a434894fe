"""The explorer: a static page to look around in the ranks of two systems, dialogue by dialogue."""
