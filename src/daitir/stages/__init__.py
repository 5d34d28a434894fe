"""The stages: one module per rule, each with its options, ``run`` and ``main``; nothing imports a stage."""
