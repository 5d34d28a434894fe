"""Python's garbage collector, told what programs that import much and live short do best with.

The objects that imports make, some 400,000 with torch and transformers, stay to the end. Looking for garbage
among them at Python's usual pace is a good part of a program's start, and taking them apart one by one at its
end can be longer than its work (a second or two). So it looks seldom, and the end leaves them to the system.
"""

import atexit
import gc

OBJECTS_BETWEEN = 10_000  # Python 3.11's own: 700


def look_seldom() -> None:
    """Let this process look for garbage seldom, and not at all when it ends."""
    gc.set_threshold(OBJECTS_BETWEEN)
    atexit.register(gc.freeze)
