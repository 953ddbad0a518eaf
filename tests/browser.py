"""Debian's chromium without a window, over its pipe: what a page logs, asks for, and looks like."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

Message = dict[str, Any]


class Browser:
    """Commands go in and answers come out with a NUL between them. Raises EOFError when the browser ends, and
    RuntimeError for a command that it refuses."""

    def __init__(self, profile: Path) -> None:
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"]
        options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        shell = f'exec chromium "$@" 3<&{commands} 4>&{answers}'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "chromium", *options, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands)
        os.close(answers)
        self._rest = b""
        self._number = 0
        self.events: list[Message] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> Message:
        return self._ask(method, self._session, **params)

    def open(self, page: Path, *, width: int, dark: bool = False) -> None:
        """Shows a file and waits until it is loaded; ``events`` are those since then."""
        self.events = []
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        self.ask("Page.navigate", url=page.resolve().as_uri())
        while not any(each["method"] == "Page.loadEventFired" for each in self.events):
            self._read()

    def value(self, expression: str) -> Any:
        """Of JavaScript, as JSON."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        os.close(self._out)
        self._process.wait()
        os.close(self._in)

    def _ask(self, method: str, session: str | None = None, **params: Any) -> Message:
        self._number += 1
        number = self._number
        command = {"id": number, "method": method, "params": params}
        if session is not None:
            command["sessionId"] = session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                found: Message = answer["result"]
                return found

    def _read(self) -> Message:
        while b"\0" not in self._rest:
            data = os.read(self._in, 1 << 20)
            if not data:
                raise EOFError("chromium has ended")
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        message: Message = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message
