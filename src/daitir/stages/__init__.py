"""The stages: one module per rule, each with its options, ``run`` and ``main``; nothing imports a stage.

The objects that imports make stay, some million of them: where Python looks for garbage among them at its
usual pace, that is a sixth of a stage's start.
"""

import gc

gc.set_threshold(10_000)
