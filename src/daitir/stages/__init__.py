"""The stages: one module per rule, each with its options, ``run`` and ``main``; nothing imports a stage.

Some 400,000 objects that imports make stay to the end. Looking for garbage among them at Python's usual pace
would be a good part of a stage's start; so it is told to look seldom, here, before they are made.
"""

import gc

gc.set_threshold(10_000)
