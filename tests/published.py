"""Published Spring Boot executable jars of Maven Central, of different age and size, downloaded into `.cache/published`.

None needs another service to start. `python tests/published.py` downloads all and prints their paths. MAVEN_CENTRAL
names another repository with the same layout.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

CENTRAL = "https://repo1.maven.org/maven2"
CACHE = Path(__file__).resolve().parent.parent / ".cache" / "published"
TRIES = 3


@dataclass(frozen=True, slots=True)
class Published:
    """``java``: versions that run it, oldest and newest known; ``options`` go to java 17 or newer, ``arguments`` to
    the application so that it listens on port 8080; ``answers`` is a path that answers 200."""

    name: str
    path: str
    sha256: str
    spring_boot: str
    java: tuple[int, int]
    answers: str
    options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        return self.path.rpartition("/")[2]


PUBLISHED = (
    Published(  # 25 MB, 2018; 1.5 MB of its own static files; no index files; cglib needs java.lang on new Java
        "sentinel-dashboard",
        "com/alibaba/csp/sentinel-dashboard/0.1.1/sentinel-dashboard-0.1.1.jar",
        "fdba860356ded18163fa8a57352254da2d5392ff71bc218e0155ca9af1d09469",
        "1.5",
        (8, 17),
        "/",
        options=("--add-opens=java.base/java.lang=ALL-UNNAMED",),
        arguments=("--server.port=8080",),
    ),
    Published(  # 106 MB, 2020; an embedded H2
        "spring-cloud-dataflow-server",
        "org/springframework/cloud/spring-cloud-dataflow-server/2.7.0/spring-cloud-dataflow-server-2.7.0.jar",
        "ed5e410aa495cceec0df46233d8ed3e4b393076185e2bf67e025548978eb4729",
        "2.3.5",
        (8, 17),
        "/about",
        arguments=("--server.port=8080",),
    ),
    Published(  # 108 MB, 2021; four modules of the project beside the classes
        "spring-cloud-skipper-server",
        "org/springframework/cloud/spring-cloud-skipper-server/2.8.0/spring-cloud-skipper-server-2.8.0.jar",
        "8ab40f5a4966e24a37b31b1885060264cfc26dae8d6f0fff5bc2ede72d0a3f7e",
        "2.5.5",
        (8, 17),
        "/actuator/health",
        arguments=("--server.port=8080",),
    ),
    Published(  # 86 MB, 2026; five modules beside the classes
        "zipkin-server",
        "io/zipkin/zipkin-server/3.6.1/zipkin-server-3.6.1-slim.jar",
        "981b1de6139b4f8f787a909c308028732f9713ae5284353d2a5aa404d1094775",
        "3.5.12",
        (17, 25),
        "/health",
        arguments=("--server.port=8080",),
    ),
)


class DownloadError(Exception):
    """The jar could not be had; the text says why."""


def fetch(jar: Published) -> Path:
    """The jar, from the cache or downloaded now. Raises DownloadError."""
    target = CACHE / jar.file
    if target.exists() and _sha256(target) == jar.sha256:
        return target
    CACHE.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}.part")
    url = f"{os.environ.get('MAVEN_CENTRAL', CENTRAL).rstrip('/')}/{jar.path}"
    problem = ""
    try:
        for _ in range(TRIES):
            print(f"downloading {url}", file=sys.stderr, flush=True)
            try:
                with urllib.request.urlopen(url, timeout=60) as answer, part.open("wb") as file:
                    shutil.copyfileobj(answer, file, 1 << 20)
            except (OSError, urllib.error.HTTPError) as error:
                problem = str(error)
                continue
            found = _sha256(part)
            if found == jar.sha256:
                part.replace(target)
                return target
            problem = f"its SHA-256 is {found}, not {jar.sha256}"
        raise DownloadError(f"{url}: {problem}; set MAVEN_CENTRAL to a repository that has it")
    finally:
        part.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    for each in PUBLISHED:
        print(fetch(each))
