"""The explorer as a reader sees it, in a browser."""

import urllib.parse
from pathlib import Path

import pandas as pd

from daitir.layout import Layout
from daitir.ranks import read_ranks
from tests.browser import Browser
from tests.explorer_files import IDS
from tests.synthetic import SET


class Page:
    """The explorer as a reader sees it, and the ranks tables beside it."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self.folder = browser, folder / "results"
        layout = Layout(str(folder / "results"))
        names = ("text", "dar", "adafuse", "oracle")
        self.ranks = {name: read_ranks(Path(layout.ranks(name, SET))) for name in names}

    def go(self, name: str = "explorer", **asked: object) -> None:
        """Open the page anew at an address."""
        self.browser.open("about:blank")
        self.browser.open(f"file://{self.folder}/{name}/index.html#{urllib.parse.urlencode(asked)}")
        self.settle()

    def settle(self) -> None:
        """Wait until the page shows what its address says."""
        done = "document.body.dataset.turn === String(turn) && shown"
        self.browser.wait(f"typeof turn !== 'undefined' && document.body && {done}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.browser.press(key)
            self.settle()

    def click(self, selector: str) -> None:
        self.browser.click(selector)
        self.settle()

    @property
    def address(self) -> dict[str, str]:
        hash_ = self.browser.evaluate("location.hash")
        return dict(urllib.parse.parse_qsl(hash_.removeprefix("#")))

    def rows(self, system: str, round_: int, seed: int = 0) -> pd.DataFrame:
        """Rows of a ranks table, in the order of the ids."""
        table = self.ranks[system]
        own = table[(table["round"] == round_) & (table["seed"] == seed)]
        return own.set_index("dialogue_id").loc[IDS]

    def listed(self) -> list[str]:
        """Ids in the list, from top to bottom."""
        rows = "[...document.querySelectorAll('.row')].sort((a, b) => a.offsetTop - b.offsetTop)"
        return self.browser.evaluate(f"{rows}.map(row => row.querySelector('.id').textContent)")
