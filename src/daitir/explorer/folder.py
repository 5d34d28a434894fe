"""A folder that is written whole or not at all, and takes the place of the one before it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daitir.errors import DaitirError
from daitir.files import atomic, flush_to_disk

SIGN = Path("data", "index.js")  # written last: a folder that has it is an explorer


@contextmanager
def finished_folder(output: Path) -> Iterator[Path]:
    """Yield an empty folder to write an explorer to; it gets the name ``output`` when it is finished.

    An explorer that was there is replaced then, and stays if anything fails before; any other folder with
    something in it is refused.
    """
    output = Path(output).absolute()
    if output.exists() and not _may_be_replaced(output):
        raise DaitirError(f"{output} exists and is no explorer: remove it or name another folder")
    old = output.with_name(f".{output.name}.old.partial")
    with atomic(output) as partial:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        for path in partial.rglob("*"):
            flush_to_disk(path)
        shutil.rmtree(old, ignore_errors=True)
        if output.exists():
            output.replace(old)
    shutil.rmtree(old, ignore_errors=True)


def _may_be_replaced(output: Path) -> bool:
    return output.is_dir() and ((output / SIGN).is_file() or not any(output.iterdir()))
