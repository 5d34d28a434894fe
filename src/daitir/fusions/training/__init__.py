"""Training of fusions on stored features; the encoder is frozen."""
