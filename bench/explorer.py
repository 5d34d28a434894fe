"""The explorer at the size of the four benchmarks: ``python -m bench.explorer`` prints seconds and megabytes.

2,064 dialogues, 11 rounds, 8 systems, 50,000 candidates, four sets; all
numbers and texts are drawn, and there are no pictures.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.browser import Browser, find_browser
from tests.explorer_files import explore_options, make_large

SHOWN = "typeof turn !== 'undefined' && document.body?.dataset.turn === String(turn) && Boolean(shown)"
STEPS = {"next dialogue": "step(1)", "a round before": "stepRound(-1)", "losses first": "go({sort: 'loss'})"}
STEPS |= {"another system": "go({a: 'system-3'})", "another set": "go({set: 'set-1'})"}


def main() -> None:
    """Print what the folder and the page cost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = make_large(folder, dialogues=2064, candidates=50_000, systems=8, sets=4)
        options = explore_options(config, thumbnails=0).model_dump_json()
        stage = [sys.executable, "-m", "daitir.stages.explore", "--options", options]
        start = time.perf_counter()
        output = folder / "explorer"
        subprocess.run([*stage, "--results", folder / "results", "--output", output], check=True)
        spent = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
        size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file()) / 1e6
        print(f"written: {spent:.1f} s, {memory:.0f} MB of memory, {size:.0f} MB on the disk")
        program = find_browser()
        if program:
            look_around(Browser(program, folder / "profile"), output)


def look_around(browser: Browser, output: Path) -> None:
    """Print how long the page takes to open and to show something else."""
    start = time.perf_counter()
    browser.open(f"file://{output}/index.html")
    browser.wait(SHOWN)
    print(f"page opened: {time.perf_counter() - start:.2f} s")
    for what, step in STEPS.items():
        wait = f"while (!({SHOWN})) await new Promise(done => setTimeout(done, 1))"
        work = f"const start = performance.now(); {step}; {wait}; return performance.now() - start"
        print(f"{what}: {browser.evaluate(f'(async () => {{{work}}})()'):.0f} ms")
    browser.close()


if __name__ == "__main__":
    main()
