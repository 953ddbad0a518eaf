"""The command in a process of its own, as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str

    @property
    def push(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out)["push"]
        return found

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def pushes(self) -> list[dict[str, Any]]:
        """Of ``--all``."""
        found: list[dict[str, Any]] = self.document["pushes"]
        return found


class Command:
    """`imgopt` in a process of its own, with a home, a cache and a Docker configuration of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "XDG_", "REGISTRY_"))},
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_RUNTIME_DIR": str(home / "run"),
            "DOCKER_CONFIG": str(home / "docker"),
            "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("optimizer", "rules")),
            "PYTHONUNBUFFERED": "1",
        }
        (home / "docker").mkdir()

    def forget(self) -> None:
        """As on an agent that is new: nothing is known of where earlier pushes went."""
        shutil.rmtree(self.home / "cache" / "imgopt", ignore_errors=True)

    def login(self, **config: object) -> None:
        (self.home / "docker" / "config.json").write_text(json.dumps(config))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        code = "import sys; from imgopt.cli import main; sys.exit(main())"
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.home,
        )

    def on_terminal(self, *arguments: str, columns: int = 120) -> tuple[int, bytes]:
        """The exit code, and all that a terminal of this width was shown."""
        import fcntl
        import pty
        import struct
        import termios

        main, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        code = "import sys; from imgopt.cli import main; sys.exit(main())"
        environment = {**self.environment, "TERM": "xterm", "COLUMNS": str(columns)}
        command = [sys.executable, "-c", code, *arguments]
        process = subprocess.Popen(command, env=environment, stdout=terminal, stderr=terminal, cwd=self.home)
        os.close(terminal)
        shown = b""
        while True:
            try:
                block = os.read(main, 4096)
            except OSError:
                break
            if not block:
                break
            shown += block
        os.close(main)
        return process.wait(30), shown

    def __call__(self, *arguments: str, seconds: float = 120) -> Run:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=seconds)
        assert "Traceback" not in err, err
        return Run(process.returncode, out, err)
