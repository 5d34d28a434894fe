"""A headless Chromium, driven in the DevTools protocol over a pipe: clicks, keys, what a page holds."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
# Chromium reads commands from descriptor 3 and answers on 4.
LAUNCHER = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3), os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
CODES = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35}
CODES |= {"Escape": 27}


def find_browser() -> str | None:
    """Return the Chromium of this machine, if it has one."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page in a browser of its own; what went wrong in it and what it loaded is kept."""

    def __init__(self, program: str, profile: Path, size: tuple[int, int] = (1280, 900)) -> None:
        read, self._write = os.pipe()
        self._read, write = os.pipe()
        command = [program, *FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(read), str(write), *command, "about:blank"],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read), os.close(write)
        self._buffer, self._number, self._session = b"", 0, None
        self.faults: list[str] = []
        self.requests: list[str] = []
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Runtime", "Page", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(20)
        os.close(self._read), os.close(self._write)

    def call(self, method: str, **parameters: Any) -> Any:
        """Send one command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer)

    def _next(self) -> Any:
        while b"\0" not in self._buffer:
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event: Any) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(parameters["exceptionDetails"])[:2000])
        if event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.faults.append(json.dumps(parameters["entry"])[:2000])
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Wait until an expression holds."""
        end = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({condition})"):
            assert time.monotonic() < end, f"never came: {condition}; faults: {self.faults}"
            time.sleep(0.01)

    def open(self, address: str) -> None:
        """Open a page."""
        self.call("Page.navigate", url=address)

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        code = CODES.get(key, ord(key.upper()[0]))
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def click(self, selector: str) -> None:
        """Click on the middle of an element, with the mouse."""
        box = self.evaluate(
            f"(box => [box.x + box.width / 2, box.y + box.height / 2])"
            f"((element => (element.scrollIntoView({{block: 'nearest'}}), element.getBoundingClientRect()))"
            f"(document.querySelector({json.dumps(selector)})))"
        )
        for type_ in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=type_, x=box[0], y=box[1], button="left", clickCount=1)

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a select, as its list does."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{element}.value = {json.dumps(value)}")
        self.evaluate(f"{element}.dispatchEvent(new Event('change', {{bubbles: true}}))")

    def texts(self, selector: str) -> list[str]:
        """Return what the elements that a selector finds say."""
        return self.evaluate(
            f"[...document.querySelectorAll({json.dumps(selector)})].map(one => one.textContent)"
        )

    def values(self, selector: str, attribute: str) -> list[str | None]:
        """Return an attribute of the elements that a selector finds."""
        one = f"one.getAttribute({json.dumps(attribute)})"
        return self.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map(one => {one})")
