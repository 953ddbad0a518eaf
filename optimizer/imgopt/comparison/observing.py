"""Starts one image and watches it: until it answers, ends or stays silent; what it answers; how it ends on SIGTERM."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Literal, cast
from urllib.parse import quote, urlsplit

from imgopt.comparison.answers import MAX_BODY_BYTES, Answer
from imgopt.comparison.image_config import environment_of, exposed_ports, health_command, start_words
from imgopt.engines.engine import (
    DEFAULT_LIMITS,
    Container,
    EngineError,
    Limits,
    Runner,
    RunRequest,
    StartError,
    TimeUpError,
)
from imgopt.errors import UsageError
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field

DEFAULT_PORT = 8080
HEALTH_PATH = "/actuator/health"
PATHS = (HEALTH_PATH, "/")
LOOK_SECONDS = 0.1
ANSWER_SECONDS = 15.0
#: Who accepts a connection and says nothing for this long speaks something else than HTTP. Longer where there are other
#: ports: a debugger's is open long before the application is up.
MUTE_SECONDS, MUTE_SECONDS_OF_SEVERAL = 20.0, 90.0
#: Between two questions for the same, so that what is a time or a number of the moment shows.
PAUSE_SECONDS = 1.1
COMMAND_SECONDS = 30.0
JAVA_SECONDS = 60.0
#: Podman 4.3 loses what short-lived containers print, now and then.
JAVA_TRIES = 3
LOG_LINES = 2000
#: Of a program that ends by itself, whose output is what is compared.
OUTPUT_LINES = 20_000
#: A shell's exit codes for a program that is not there or may not be run: no time will change that.
NOT_RUNNABLE = (126, 127)

_PORT_IN_LOG = regex(
    r"\b(?:Tomcat|Netty|Jetty|Undertow|Reactor Netty)\b[^\n]*?\bstarted on port(?:\(s\)|s)?:? (\d{2,5})"
)
#: What stands for itself in a path and query, escapes included.
_IN_A_URL = "/?%:@!$&'()*+,;=~[]"
_PORT_SETTING = regex(r"(?:--|-D)server\.port=(\d{1,5})\b")


@dataclass(frozen=True, slots=True)
class Smoke:
    """What `--smoke` names: a URL or path to ask, or a command to run in the container."""

    path: str | None = None
    port: int | None = None
    command: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        if self.path is not None:
            return f"GET {self.path}" + (f" on port {self.port}" if self.port else "")
        return f"command {self.command[-1]}"


def smoke_of(text: str) -> Smoke:
    """`http://localhost:8081/x`, `:8081/x` and `/x` are asked, whatever host stands there; all else is a command for
    the container's shell, a program's path with arguments too. UsageError for an address that is none."""
    blank = re.search(r"\s", text) is not None
    if not text.startswith(("http://", "https://", ":", "/")) or (text.startswith("/") and blank):
        return Smoke(command=("/bin/sh", "-c", text))
    if blank:
        raise UsageError(f"--smoke {text!r}: an address holds no blanks", "write them as %20")
    if text.startswith("https://"):
        raise UsageError(f"--smoke {text}: only http can be asked", "give a command, e.g. 'wget -q -O - URL'")
    try:
        parts = urlsplit(text if text.startswith("http") else f"http://localhost{text}")
        port = parts.port or (80 if text.startswith("http") else None)
    except ValueError as error:
        raise UsageError(
            f"--smoke {text}: no such address or port",
            "write http://HOST:PORT/PATH; ports go from 1 to 65535",
        ) from error
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Smoke(path=quote(path, safe=_IN_A_URL), port=port)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How both images are started and what is asked of them. ``stop_seconds``: what an orchestrator grants after
    SIGTERM. ``runs``: starts of each, of which start-up and memory are the medians."""

    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    smoke: Sequence[Smoke] = ()
    start_seconds: float = 180
    stop_seconds: float = 10
    runs: int = 1
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Subject:
    """An image that the runner knows, with its parsed config."""

    reference: str
    config: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of one start. ``silent``: its time ran out. ``by``: what told that it was up, or why nothing did.
    ``answers``: by question, as often as it was asked; ``late``: the questions of which an answer did not come in time.
    ``refused``: the last that was heard before the time ran out was a plain no, which more time does not change.
    ``down``: it answered that it is not up, until the time ran out. ``mute``: a port accepts connections, and that is
    all that was seen.
    ``exit_code``: of its own end, or after SIGTERM; None when it was not waited for."""

    outcome: Literal["answered", "ended", "silent"]
    by: str
    seconds: float
    exit_code: int | None = None
    stop_seconds: float | None = None
    memory_bytes: int | None = None
    port: int | None = None
    answers: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict)
    log: str = ""
    late: frozenset[str] = frozenset()
    refused: bool = False
    down: bool = False
    mute: bool = False

    @property
    def works(self) -> bool:
        """It was seen to do its work: it answers, or did it and ended with 0."""
        if self.outcome == "ended":
            return self.exit_code == 0
        return self.outcome == "answered" and not self.down and not self.mute


@dataclass(frozen=True, slots=True)
class JavaVersion:
    """``major``: 8, 11, 17 …; ``version`` as Java prints it. ``language``: of the locale that it started with, "en_US", or
    "en" of no country; "" where it did not tell."""

    major: int
    version: str
    vendor: str
    language: str = ""


def observe(
    runner: Runner,
    subject: Subject,
    options: RunOptions,
    *,
    answers: bool = True,
) -> Observed:
    """One start from beginning to end; the container is removed. Takes at most ``start_seconds`` and ``stop_seconds``
    and some for the questions. EngineError when the engine fails, not when the image does."""
    ports = likely_ports(subject.config, options)
    request = RunRequest(
        arguments=options.arguments,
        environment=options.environment,
        ports=ports,
        limits=options.limits,
    )
    begin = time.monotonic()
    try:
        container = runner.start(subject.reference, request)
    except StartError as error:
        return Observed("ended", "it could not be started", 0.0, exit_code=127, log=error.message)
    try:
        return _Watch(container, subject, options, ports, begin).run(answers)
    finally:
        container.remove()


def likely_ports(config: Mapping[str, object], options: RunOptions) -> tuple[int, ...]:
    """Ports to ask: those of `--smoke`, of Spring's server.port, then what the image exposes; else 8080."""
    environment = {**environment_of(config), **options.environment}
    found = [smoke.port for smoke in options.smoke if smoke.port]
    settings = [environment.get("SERVER_PORT", "")]
    for text in (*options.arguments, *environment.values(), *start_words(config)):
        settings += _PORT_SETTING.findall(text)
    found += [int(setting) for setting in settings if setting.isdigit() and 0 < int(setting) < 65536]
    found += exposed_ports(config)
    return tuple(dict.fromkeys(found or [DEFAULT_PORT]))


class _Watch:
    def __init__(
        self,
        container: Container,
        subject: Subject,
        options: RunOptions,
        ports: Sequence[int],
        begin: float,
    ) -> None:
        self.container = container
        self.options = options
        self.ports = list(ports)
        self.begin = begin
        self.health = health_command(subject.config)
        self.down = self.mute = self.refused = False
        self.late: set[str] = set()
        self.mute_since: dict[int, float] = {}
        self.heard = "nothing answered"

    def run(self, wants_answers: bool) -> Observed:
        by: str | None = None
        next_log = self.begin + 2
        while time.monotonic() - self.begin < self.options.start_seconds:
            if not self.container.running:
                return self._ended()
            by = self._up()
            if by is not None:
                break
            if time.monotonic() > next_log:
                next_log = time.monotonic() + 2
                self._ports_from_log()
            time.sleep(LOOK_SECONDS)
        seconds = time.monotonic() - self.begin
        if by is None and self.down:  # it speaks, so what it says can be compared
            by = f"{self.heard} within {self.options.start_seconds:g} s"
        answers: dict[str, tuple[Answer, ...]] = {}
        if by is not None:
            self._ports_from_log()
            answers = self._answers() if wants_answers else {}
        elif self.health is not None and not self.options.smoke:
            self._health_alone_fails()
        memory = self.container.memory_bytes()
        code, stop_seconds = self.container.stop(self.options.stop_seconds)
        return Observed(
            "answered" if by is not None else "silent",
            by or f"{self.heard} within {self.options.start_seconds:g} s",
            seconds,
            code,
            stop_seconds,
            memory,
            self._port(),
            answers,
            self.container.log(LOG_LINES),
            late=frozenset(self.late),
            refused=by is None and self.refused,
            down=by is not None and self.down,
            mute=by is not None and self.mute,
        )

    def _health_alone_fails(self) -> None:
        """The application answers, and its health check says no all the same: that is no matter of time."""
        for port in self.ports:
            answer = self._get(port, HEALTH_PATH)
            if isinstance(answer, Answer) and answer.status != 503:
                self.refused = True
                self.heard += f", though port {port} answered {answer.status},"
                return

    def _ended(self) -> Observed:
        seconds = time.monotonic() - self.begin
        code = self.container.wait(COMMAND_SECONDS)
        return Observed(
            "ended", "it ended by itself", seconds, exit_code=code, log=self.container.log(OUTPUT_LINES)
        )

    def _up(self) -> str | None:
        """What tells that the application is up; None while nothing does."""
        if self.options.smoke:
            return self._smoke_is_up()
        if self.health is not None:
            try:
                code, _ = self.container.execute(self.health, COMMAND_SECONDS)
            except TimeUpError:
                self.heard = (
                    f"the image's health check did not end in {COMMAND_SECONDS:g} s, and nothing answered"
                )
                return None
            except EngineError:  # the container ended meanwhile
                return None
            self.heard = f"the image's health check said {code}, and nothing else"
            return "the image's health check" if code == 0 else None
        self.down = False
        for port in self.ports:
            by = self._port_is_up(port)
            if by is not None:
                return by
        return None

    @property
    def _command_seconds(self) -> float:
        """Of the user's own command, which may take as long as the start."""
        return max(COMMAND_SECONDS, self.options.start_seconds)

    def _smoke_is_up(self) -> str | None:
        self.refused = False
        for smoke in self.options.smoke:
            if smoke.path is None:
                try:
                    code, _ = self.container.execute(smoke.command, self._command_seconds)
                except TimeUpError:
                    self.heard = f"the {smoke.name} did not end"
                    return None
                except EngineError:
                    return None
                self.heard = f"the {smoke.name} ended with {code}, and nothing else"
                if code:
                    self.refused = code in NOT_RUNNABLE
                    return None
                continue
            answers = [self._get(port, smoke.path) for port in ([smoke.port] if smoke.port else self.ports)]
            heard = [answer for answer in answers if isinstance(answer, Answer)]
            if heard:
                self.heard = f"{smoke.name} answered {heard[0].status}, and nothing else"
            if not any(answer.status < 400 for answer in heard):
                self.refused = any(answer.status != 503 for answer in heard)
                return None
        return ", ".join(smoke.name for smoke in self.options.smoke)

    def _port_is_up(self, port: int) -> str | None:
        answer = self._get(port, HEALTH_PATH)
        now = time.monotonic()
        if isinstance(answer, Answer):
            self.heard = f"port {port} answered {answer.status}, and nothing else"
            self.down = answer.status == 503
            return None if self.down else f"port {port} answered"
        if answer in ("mute", "late"):
            since = self.mute_since.setdefault(port, now)
            self.heard = f"port {port} accepted connections, and nothing answered"
            patience = MUTE_SECONDS if len(self.ports) == 1 else MUTE_SECONDS_OF_SEVERAL
            self.mute = now - since > patience
            return f"port {port} accepts connections" if self.mute else None
        return None

    def _get(self, port: int, path: str) -> Answer | Literal["closed", "mute", "late"]:
        """``closed``: nobody listens; ``mute``: no HTTP came back; ``late``: nothing did, in time."""
        try:
            host, there = self.container.connect(port, 0)
            return cast(Answer, self.container.in_network(lambda: get(host, there, path, port)))
        except EngineError:
            return "closed"
        except TimeoutError:
            return "late"
        except (OSError, http.client.HTTPException):
            return "mute"

    def _ports_from_log(self) -> None:
        if self.options.smoke and all(smoke.port for smoke in self.options.smoke):
            return
        for number in _PORT_IN_LOG.findall(self.container.log(LOG_LINES)):
            if int(number) not in self.ports:
                self.ports.insert(0, int(number))

    def _port(self) -> int | None:
        return self.ports[0] if self.ports else None

    def _answers(self) -> dict[str, tuple[Answer, ...]]:
        found: dict[str, tuple[Answer, ...]] = {}
        for turn in range(2):
            if turn:
                time.sleep(PAUSE_SECONDS)
            for name, answer in self._ask_all():
                found[name] = (*found.get(name, ()), answer)
        return found

    def _ask_all(self) -> list[tuple[str, Answer]]:
        if not self.options.smoke:
            several = len(self.ports) > 1  # an application port and one for management, say
            smokes = [Smoke(path, port if several else None) for path in PATHS for port in self.ports]
        else:
            smokes = list(self.options.smoke)
        heard: list[tuple[str, Answer]] = []
        for smoke in smokes:
            answer: Answer | str = ""
            late = False
            if smoke.path is not None:
                for port in [smoke.port] if smoke.port else self.ports:
                    answer = self._get(port, smoke.path)
                    if isinstance(answer, Answer):
                        break
                    late = late or answer == "late"
                if late and not isinstance(answer, Answer):
                    self.late.add(smoke.name)
            else:
                try:
                    code, output = self.container.execute(smoke.command, self._command_seconds)
                    body = output.encode()
                    cut = len(body) > MAX_BODY_BYTES
                    answer = Answer(code, "output", body[:MAX_BODY_BYTES], cut)
                except TimeUpError:
                    self.late.add(smoke.name)
                except EngineError:  # the container ended meanwhile: no answer
                    pass
            if isinstance(answer, Answer):
                heard.append((smoke.name, answer))
        return heard


def get(host: str, port: int, path: str, named: int) -> Answer:
    """Asks once; follows no redirect. OSError or HTTPException when there is no HTTP answer; TimeoutError when it has no
    end within twice `ANSWER_SECONDS`, however steadily it drips.

    The Host header says ``named``, the container's own port: answers hold links, and a published port is another one
    at each start.
    """
    from threading import Event, Timer

    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    over = Event()
    connection.connect()
    wire = connection.sock

    def hang_up() -> None:
        over.set()
        with contextlib.suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)

    limit = Timer(2 * ANSWER_SECONDS, hang_up)
    limit.daemon = True
    limit.start()
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{named}", "Accept": "*/*"})
        response = connection.getresponse()
        body = response.read(MAX_BODY_BYTES + 1)
        if over.is_set():
            raise TimeoutError("the answer has no end")
        cut = len(body) > MAX_BODY_BYTES
        location = response.headers.get("Location")
        if location is not None and not body:
            body = f"Location: {location}".encode()
        kind = response.headers.get("Content-Type") or ""
        return Answer(response.status, kind, body[:MAX_BODY_BYTES], cut)
    except (OSError, http.client.HTTPException) as error:
        if over.is_set():
            raise TimeoutError("the answer has no end") from error
        raise
    finally:
        limit.cancel()
        connection.close()


def java_of(
    runner: Runner, subject: Subject, seconds: float = JAVA_SECONDS, limits: Limits = DEFAULT_LIMITS
) -> JavaVersion | Literal["late"] | None:
    """The Java that the image starts; None when no `java` is found in it, or it does not tell; ``late`` when it has not
    told within ``seconds``."""
    home = environment_of(subject.config).get("JAVA_HOME")
    named = [word for word in start_words(subject.config) if word.rpartition("/")[2] == "java"]
    candidates = [*named, "java", *([f"{home}/bin/java"] if home else [])]
    for program in dict.fromkeys(candidates):
        command = [program, "-XshowSettings:properties", "-version"]
        for _ in range(JAVA_TRIES):
            try:
                container = runner.start(subject.reference, RunRequest(entrypoint=command, limits=limits))
            except StartError:
                break
            try:
                code = container.wait(seconds)
                if code is None:
                    return "late"
                if code:
                    break
                output = container.log(LOG_LINES)
            finally:
                container.remove()
            if output.strip():
                return java_version(output)
    return None


def java_version(text: str) -> JavaVersion | None:
    """From what `java -XshowSettings:properties -version` prints."""
    found = dict(re.findall(r"^\s*((?:java|user)\.[\w.]+) = (.*?)\s*$", text, re.MULTILINE))
    major = re.match(r"(?:1\.)?(\d+)", found.get("java.specification.version", ""))
    if major is None:
        return None
    language = "_".join(filter(None, (found.get("user.language"), found.get("user.country"))))
    return JavaVersion(int(major[1]), found.get("java.version", ""), found.get("java.vendor", ""), language)
