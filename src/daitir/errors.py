"""The one error that a user of daitir sees: what, where, what to do, on one line."""

import errno
import os
import sys
from collections.abc import Callable


class DaitirError(Exception):
    """Something the user can mend; its text is one line: what is wrong, where, and what to do."""

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


class DoneMeanwhileError(DaitirError):
    """Nothing is left to do: another process that did the same finished it. No failure of a program."""


def exit_with_one_line(command: Callable[[], None]) -> None:
    """Run ``command``; print an error the user can mend as one line and exit 1. A bug keeps its traceback."""
    try:
        command()
    except DoneMeanwhileError as error:
        print(f"note: {error}", file=sys.stderr)
    except DaitirError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in _USERS_TO_MEND:
            raise
        where = error.filename or error.filename2 or "the file being written"
        what = os.strerror(error.errno)  # libraries put more, and not always one line, into theirs
        sys.exit(f"error: {what} at {where}: {_USERS_TO_MEND[error.errno]}")


DISK_IS_FULL = {
    errno.ENOSPC: "free disk space and run again; nothing finished is lost",
    errno.EDQUOT: "free disk quota and run again; nothing finished is lost",
    errno.EFBIG: "raise the limit (`ulimit -f`) or write to a file system that takes it, and run again;"
    " nothing finished is lost",
}
_USERS_TO_MEND = DISK_IS_FULL | {
    errno.EROFS: "write somewhere else: set `results:` in config.yaml",
    errno.EACCES: "mend the permissions or set `results:` in config.yaml",
}
