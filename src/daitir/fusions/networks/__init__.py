"""Networks of the trained fusions: the mathematics alone."""
