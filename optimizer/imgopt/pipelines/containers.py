"""How containers are run: services of Compose files, containers of Kubernetes manifests and of Helm's charts.

Only what stands there. Of Compose's variables those with a default are filled in. In a template of Helm what stands
between braces is a variable that nobody knows here, and a line of them alone is left out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence

from imgopt.errors import ImgoptError
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field, replace
from imgopt.options import Container, Told, Variable
from imgopt.pipelines.bake import Target, compose_target
from imgopt.pipelines.tools import image_name, repository
from imgopt.pipelines.yaml_tree import Node, TooMuch, documents

_MOST_EXTENDED = 5
#: Words, variables and mounts of all containers of a repository. An alias repeats what it names in each service.
MOST_VALUES = 100_000
#: What a service counts beside them.
OF_A_SERVICE = 20
_CHARACTERS = 200  # of a text count as much as a word
_LONGEST_NAME = 500  # of an image, with its registry
_MOST_IMAGES = 50  # of a chart's values
_MOST_DEEP = 4
#: Stands for what a template fills in.
_OF_TEMPLATE = "${TEMPLATE}"
_INTERPOLATED = regex(r"\$(?:(\$)|\{(\w+)(?::?([-+?])([^{}]*))?\}|(\w+))")
#: Where kinds of manifests have their pod, from the root.
_POD = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    **dict.fromkeys(
        ("DaemonSet", "Deployment", "DeploymentConfig", "ReplicaSet", "Rollout", "StatefulSet"),
        ("spec", "template", "spec"),
    ),
}

#: A file beside the one that names it: its text, None where there is none.
Beside = Callable[[str], str | None]


@dataclass
class Reading:
    """What is left to look at of a repository's files; ``cut``: where it ended, None as long as it has not."""

    values: int = MOST_VALUES
    cut: str | None = None
    #: Services of files that services of others extend.
    extended: dict[str, Node | None] = field(default_factory=dict)

    def spend(self, count: int, where: str) -> bool:
        """Whether there is as much left."""
        self.values -= count
        if self.values < 0:
            self.end(where)
        return self.values >= 0

    def end(self, where: str) -> None:
        self.cut = self.cut or where


@dataclass(frozen=True)
class Service:
    """A container as one file says it. ``build`` is what a Compose service builds; ``image`` as it is written there.
    ``name``: of a Compose service, which other files beside it may add to, or of a container in a manifest, with its kind and
    name, which a patch may add to. ``called``: by what commands find it: "service NAME", "container NAME", "deployment/NAME".
    """

    name: str | None
    build: Target | None
    image: str | None
    container: Container
    called: frozenset[str] = frozenset()


def compose_services(text: str, shown: str, beside: Beside, reading: Reading) -> list[Service]:
    """The services of a Compose file. ``shown``: what the file is called in places."""
    return list(_Compose(shown, beside, reading).services(text))


def is_manifest(text: str) -> bool:
    return bool(re.search(r"(?m)^kind:", text)) and "ontainers:" in text


_KINDS = regex(rf"(?m)^kind:[ \t]*[\"']?(?:{'|'.join(_POD)}|List)\b")


def has_a_pod(text: str) -> bool:
    """Whether a manifest is of a kind that starts containers, as a definition of kinds is not."""
    return _KINDS.search(text) is not None and is_manifest(text)


def image_aliases(text: str, shown: str, reading: Reading) -> Iterator[tuple[str, str]]:
    """The names of images that a ``kustomization.yaml`` replaces, each with the new one."""
    for root in _roots(text, shown, reading):
        for each in _listed(root.get("images")):
            name, new = (each.text("name"), each.text("newName")) if each.kind == "mapping" else (None, None)
            if name and new:
                yield name, new


def chart_values(text: str, shown: str, reading: Reading) -> list[Service]:
    """The images that a chart's values name, each with what beside it the templates put into its container."""
    found: list[Service] = []
    todo = [(root, 0) for root in _roots(text, shown, reading)]
    while todo and len(found) < _MOST_IMAGES:
        node, depth = todo.pop(0)
        if not reading.spend(1 + _listed_in(node), f"{shown}:{node.line}"):
            return found
        image = _mapping(node.get("image"))
        name = image.text("repository") or image.text("name") if image is not None else node.text("image")
        if name:
            registry = image.text("registry") if image is not None else None
            whole = f"{registry}/{name}" if registry else name
            found.append(Service(None, None, whole, _container(node, node, shown)))
        if depth < _MOST_DEEP:
            todo += [(value, depth + 1) for _, value in node.pairs if value.kind == "mapping"]
    return found


#: The line of an image in a template, and the values that it is made of.
_IMAGE = regex(r"(?m)^([ \t-]*image:)([^\n]{1,500})$")
_OF_VALUES = regex(
    r"\{\{-?\s*(?:default\s+[^\s{}]{1,100}\s+)?\$?\.Values\.([\w.]{1,200})\s*(?:\|[^{}]{0,200})?-?\}\}"
)


_NAME = regex(r"[\w./:@-]{1,300}")


def value_at(root: Node, path: str) -> str | None:
    """What values have at a place: ``api.image.repository``."""
    *above, last = path.split(".")[:_MOST_DEEP]
    node: Node | None = root
    for key in above:
        node = _mapping(node.get(key)) if node is not None else None
    return node.text(last) if node is not None else None


def values_of(text: str, shown: str, reading: Reading) -> list[Node]:
    """A chart's values, for `with_images`."""
    return _roots(text, shown, reading)


def with_images(text: str, values: Sequence[Node]) -> str:
    """A template whose images have the names that values give them: the first ones that say it."""

    def known(match: re.Match[str]) -> str:
        found = (value_at(root, match[1]) for root in values)
        return next((each for each in found if each is not None and _NAME.fullmatch(each)), match[0])

    return _IMAGE.sub(lambda line: line[1] + _OF_VALUES.sub(known, line[2]), text)


_BRACES = regex(r"\{\{.*?(?:\}\}|\Z)", re.DOTALL)


def _plain(text: str) -> str:
    """A template as YAML, line for line."""
    if "{{" not in text:
        return text
    text = _BRACES.sub(lambda match: "\0" + "\n" * match[0].count("\n"), text)
    lines = []
    for line in text.split("\n"):
        alone = "\0" in line and not line.replace("\0", "").strip("- \t")
        lines.append("" if alone else line.replace("\0", _OF_TEMPLATE))
    return "\n".join(lines)


def manifest_services(text: str, shown: str, reading: Reading) -> list[Service]:
    """The containers of the pods that a manifest describes."""
    found: list[Service] = []
    for root in _roots(_plain(text), shown, reading):
        items = root.get("items") if root.text("kind") == "List" else None
        for each in items.items if items is not None else [root]:
            if not reading.spend(1, f"{shown}:{each.line}"):
                return found
            way = _POD.get(each.text("kind") or "")
            pod = _mapping(each) if way is not None else None
            for key in way or ():
                pod = _mapping(pod.get(key)) if pod is not None else None
            if pod is not None:
                metadata = _mapping(each.get("metadata"))
                name = metadata.text("name") if metadata is not None else None
                found += _containers(pod, shown, reading, f"{(each.text('kind') or '').lower()}/{name}")
    return found


class Names:
    """Names of an image. Where a variable stands, what is behind it decides."""

    def __init__(self, names: Iterable[str]) -> None:
        self._plain: set[str] = set()
        self._behind: set[str] = set()  # variables
        self._ends: set[str] = set()  # of the plain ones
        for name in map(_repository, names):
            if "$" in name:
                self._behind.add(_behind_variables(name))
            else:
                self._plain.add(name)
                self._ends.update(_ends(name))

    def has(self, image: str) -> bool:
        """Whether a name means the repository of one of them."""
        name = _repository(image)
        if "$" not in name:
            return name in self._plain or not self._behind.isdisjoint(_ends(name))
        behind = _behind_variables(name)
        return behind.startswith("/") and (behind in self._behind or behind in self._ends)


def _repository(name: str) -> str:
    return repository(image_name(name[:_LONGEST_NAME])).removeprefix("docker.io/")


def _behind_variables(name: str) -> str:
    return re.split(r"\$\w+|\$\{[^}]*\}", name)[-1]


def _ends(name: str) -> list[str]:
    """All of it, and what is behind each slash, with the slash."""
    whole = f"/{name}"
    return [whole[at:] for at, sign in enumerate(whole) if sign == "/"]


def _roots(text: str, shown: str, reading: Reading) -> list[Node]:
    try:
        return [root for root in documents(text, shown) if root.kind == "mapping"]
    except TooMuch:
        reading.end(shown)
        return []
    except (ImgoptError, RecursionError):
        return []  # no YAML: nothing is run by it


def _mapping(node: Node | None) -> Node | None:
    return node if node is not None and node.kind == "mapping" else None


def _listed(node: Node | None) -> list[Node]:
    return node.items if node is not None and node.kind == "sequence" else []


# Compose


@dataclass(frozen=True)
class _Compose:
    shown: str
    beside: Beside
    reading: Reading

    def services(self, text: str) -> Iterator[Service]:
        for root in _roots(text, self.shown, self.reading):
            services = _mapping(root.get("services"))
            for name, key, service in services.entries() if services is not None else ():
                if not self._spend(OF_A_SERVICE, key):
                    return
                if service.kind == "mapping" and services is not None:
                    yield self._service(name, key, service, services, _MOST_EXTENDED)

    def _service(self, name: str, key: Node, service: Node, all_: Node, left: int) -> Service:
        called = filled(service.text("container_name"))
        own = Service(
            name,
            compose_target(name, key, service),
            filled(service.text("image")),
            self._container(service),
            frozenset({f"service {name}", *([f"container {called}"] if called else ())}),
        )
        parent = self._extended(service.get("extends"), all_, left) if left else None
        return extended(parent, own) if parent is not None else own

    def _extended(self, said: Node | None, all_: Node, left: int) -> Service | None:
        if said is None:
            return None
        name = said.value if said.kind == "scalar" else filled(said.text("service"))
        file = filled(said.text("file")) if said.kind == "mapping" else None
        if not name:
            return None
        if file is not None:
            other = replace(self, shown=_beside(self.shown, file))
            found = self._extended_from(file, other.shown)
        else:
            other, found = self, all_
        service = _mapping(found.get(name)) if found is not None else None
        if service is None or found is None:
            return None
        return other._service(name, service, service, found, left - 1)

    def _extended_from(self, file: str, shown: str) -> Node | None:
        """The services of a file, which is read once for all that extend one of them."""
        if shown not in self.reading.extended:
            text = self.beside(file)
            roots = _roots(text, shown, self.reading) if text is not None else []
            services = [_mapping(root.get("services")) for root in roots]
            self.reading.extended[shown] = next((each for each in services if each is not None), None)
        return self.reading.extended[shown]

    def _container(self, service: Node) -> Container:
        build = _mapping(service.get("build"))
        health = _mapping(service.get("healthcheck"))
        checks = [self._check(health.get("test"))] if health is not None else []
        for hook in ("post_start", "pre_stop"):
            checks += [self._command(each.get("command")) for each in _listed(service.get(hook))]
        return Container(
            entrypoint=self._command(service.get("entrypoint")),
            command=self._command(service.get("command")),
            checks=tuple(check for check in checks if check is not None and check.words),
            environment=(*self._of_files(service), *self._environment(service.get("environment"))),
            mounts=tuple(self._mounts(service)),
            user=self._scalar(service.get("user")),
            directory=self._scalar(service.get("working_dir")),
            target=filled(build.text("target")) if build is not None else None,
        )

    def _spend(self, count: int, node: Node) -> bool:
        return self.reading.spend(count, f"{self.shown}:{node.line}")

    def _told(self, node: Node, words: list[str]) -> Told:
        return Told(f"{self.shown}:{node.line}", tuple(words))

    def _scalar(self, node: Node | None) -> Told | None:
        if node is None or node.kind != "scalar" or not node.value:
            return None
        return self._told(node, [filled(node.value) or ""])

    def _command(self, node: Node | None) -> Told | None:
        """A list is taken as it is; a text is split as a shell splits it, and no shell reads it."""
        if node is None or node.kind == "mapping" or _is_null(node):
            return None
        if not self._spend(len(node.items) + len(node.value) // _CHARACTERS, node):
            return None
        if node.kind == "sequence":
            return self._told(node, [filled(item.value) or "" for item in node.items])
        text = filled(node.value) or ""
        try:
            return self._told(node, shlex.split(text))
        except ValueError:
            return self._told(node, ["/bin/sh", "-c", text])  # quotes that do not close: not known

    def _check(self, node: Node | None) -> Told | None:
        if node is None or node.kind == "mapping" or not self._spend(len(node.items), node):
            return None
        if node.kind == "scalar":
            return self._told(node, ["/bin/sh", "-c", filled(node.value) or ""])
        words = [filled(item.value) or "" for item in node.items]
        if words[:1] == ["CMD-SHELL"]:
            return self._told(node, ["/bin/sh", "-c", " ".join(words[1:])])
        return self._told(node, words[1:]) if words[:1] == ["CMD"] else None

    def _environment(self, node: Node | None) -> Iterator[Variable]:
        if node is None or not self._spend(len(node.items) + len(node.pairs), node):
            return
        if node.kind == "mapping":
            for name, key, value in node.entries():
                yield Variable(
                    f"{self.shown}:{key.line}", name, None if _is_null(value) else filled(value.value)
                )
            return
        for item in node.items:
            name, equals, text = item.value.partition("=")
            yield Variable(f"{self.shown}:{item.line}", name, filled(text) if equals else None)

    def _of_files(self, service: Node) -> Iterator[Variable]:
        """`.env` and its like are each developer's own, and in no checkout."""
        node = service.get("env_file")
        for each in [node] if node is not None and node.kind == "scalar" else _listed(node):
            if not self._spend(1, each):
                return
            path = filled(each.value if each.kind == "scalar" else each.text("path")) or ""
            text = None if path.rpartition("/")[2].startswith(".env") else self.beside(path)
            if not self._spend(len(text or "") // _CHARACTERS + (text or "").count("\n"), each):
                return
            for number, line in enumerate((text or "").splitlines(), 1):
                name, equals, value = line.strip().removeprefix("export ").partition("=")
                if equals and re.fullmatch(r"\w+", name):
                    yield Variable(f"{_beside(self.shown, path)}:{number}", name, value.strip("\"'"))

    def _mounts(self, service: Node) -> Iterator[Told]:
        for each in _listed(service.get("volumes")):
            if not self._spend(1, each):
                return
            path = filled(each.text("target")) if each.kind == "mapping" else _mounted_at(each.value)
            if path and path.startswith("/"):
                yield self._told(each, [path])
        tmpfs = service.get("tmpfs")
        for each in [tmpfs] if tmpfs is not None and tmpfs.kind == "scalar" else _listed(tmpfs):
            if not self._spend(1, each):
                return
            path = _mounted_at(each.value.partition(":")[0])
            if path.startswith("/"):
                yield self._told(each, [path])


def _mounted_at(volume: str) -> str:
    """The path in the container: of ``SOURCE:PATH:MODE``, ``PATH`` or ``C:\\source:PATH``."""
    parts = (filled(volume) or "").split(":")
    if len(parts) > 1 and re.fullmatch(r"[A-Za-z]", parts[0]):
        parts = parts[1:]
    return parts[0] if len(parts) == 1 else parts[1]


def _is_null(node: Node) -> bool:
    return node.kind == "scalar" and not node.style and node.value in ("", "~", "null")


def filled(text: str | None) -> str | None:
    """Compose's variables by their defaults; those without one stay as a shell's, and ``$$`` is a dollar."""

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        name = match[2] or match[5]
        return match[4] if match[3] == "-" else f"${{{name}}}"

    return _INTERPOLATED.sub(value, text) if text is not None else None


def _beside(shown: str, file: str) -> str:
    folder = shown.rpartition("/")[0]
    name = file.removeprefix("./")
    return f"{folder}/{name}" if folder and not name.startswith("/") else name


def extended(parent: Service, own: Service) -> Service:
    """A service with what it takes over from another one: of a file that it is merged with, or that it extends."""
    first, second = parent.container, own.container
    return Service(
        own.name,
        own.build or parent.build,
        own.image or parent.image,
        Container(
            # Compose forgets the command of the other file where the entrypoint is replaced, as the engine does
            entrypoint=second.entrypoint or first.entrypoint,
            command=second.command or first.command,
            checks=second.checks or first.checks,
            environment=(*first.environment, *second.environment),
            mounts=(*first.mounts, *second.mounts),
            user=second.user or first.user,
            directory=second.directory or first.directory,
            target=second.target or first.target,
        ),
        own.called | parent.called,
    )


# Kubernetes


def _containers(pod: Node, shown: str, reading: Reading, owner: str) -> Iterator[Service]:
    for key in ("containers", "initContainers"):
        for each in _listed(pod.get(key)):
            if not reading.spend(OF_A_SERVICE + _listed_in(each), f"{shown}:{each.line}"):
                return
            if each.kind == "mapping" and (each.text("image") or each.text("name")):
                name, called = f"{owner} {each.text('name')}", frozenset({owner})
                yield Service(name, None, each.text("image"), _container(each, pod, shown), called)


def _listed_in(container: Node) -> int:
    """How many words, variables and mounts a container has."""
    listed = map(container.get, ("command", "args", "env", "volumeMounts"))
    return sum(len(node.items) for node in listed if node is not None)


def _container(node: Node, pod: Node, shown: str) -> Container:
    def told(each: Node, words: tuple[str, ...]) -> Told:
        return Told(f"{shown}:{each.line}", words)

    environment = []
    for each in _listed(node.get("env")):
        if each.kind == "mapping" and each.text("name"):
            environment.append(Variable(f"{shown}:{each.line}", each.text("name") or "", each.text("value")))
    known = {variable.name: variable.value for variable in environment}

    def command(each: Node | None) -> Told | None:
        """``$(NAME)`` is a variable of the container's environment; any other is the text that it is."""
        if each is None or not _listed(each):
            return None
        words = (
            re.sub(r"\$\((\w+)\)", lambda match: known.get(match[1]) or match[0], item.value)
            for item in each.items
        )
        return told(each, tuple(words))

    checks = []
    lifecycle = _mapping(node.get("lifecycle"))
    probes = [node.get(key) for key in ("livenessProbe", "readinessProbe", "startupProbe")]
    hooks = [lifecycle.get(key) for key in ("postStart", "preStop")] if lifecycle is not None else []
    for each_ in (*probes, *hooks):
        probe = _mapping(each_)
        run = _mapping(probe.get("exec")) if probe is not None else None
        said = command(run.get("command")) if run is not None else None
        if said is not None:
            checks.append(said)
    mounts = []
    for each in _listed(node.get("volumeMounts")):
        path = each.text("mountPath") if each.kind == "mapping" else None
        if path:
            mounts.append(told(each, (path,)))
    user = None
    for context in (_mapping(node.get("securityContext")), _mapping(pod.get("securityContext"))):
        number = context.get("runAsUser") if context is not None else None
        if user is None and number is not None and number.kind == "scalar":
            user = told(number, (number.value,))
    directory = node.get("workingDir")
    return Container(
        entrypoint=command(node.get("command")),
        command=command(node.get("args")),
        checks=tuple(checks),
        environment=tuple(environment),
        mounts=tuple(mounts),
        user=user,
        directory=told(directory, (directory.value,))
        if directory is not None and directory.kind == "scalar"
        else None,
    )
