"""The stages: one module per rule, each with its options, ``run`` and ``main``; nothing imports a stage.

Before a stage imports what it needs, Python is told to look for garbage seldom.
"""

from daitir.garbage import look_seldom

look_seldom()
