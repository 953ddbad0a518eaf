"""What `fleet write` changes: the plan's file, the layers that the builds read, and the Dockerfiles. Nothing is written here."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.errors import ContextError, ImgoptError, InputError
from imgopt.files.opening import read_file
from imgopt.fleet import layer_files, plan_file
from imgopt.fleet.pom_edits import with_layers
from imgopt.fleet.survey import Fleet, Weighed
from imgopt.java.spring_boot import version_tuple
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

if TYPE_CHECKING:
    from imgopt.dockerfile import Dockerfile

_MOST_BYTES = 4 << 20
_APPLIED = {"groovy": "apply from: '{}'\n", "kotlin": 'apply(from = "{}")\n'}
_MODULE_LAYERS = (2, 4)
_MAVEN = regex(r"\bmvnw?\b")
_GRADLE = regex(r"\bgradlew?\b")


@dataclass(frozen=True)
class Change:
    """``old`` is None for a file that is not there. ``path`` as the user would write it."""

    path: str
    old: bytes | None
    new: bytes
    what: str

    @property
    def changes(self) -> bool:
        return self.old != self.new


@dataclass(frozen=True)
class Writing:
    """``problems``: why the plan's layers are not written, or why a Dockerfile stays; ``notes``: what to mind with what is written;
    ``errors``: what could not be told yet."""

    changes: tuple[Change, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    errors: tuple[ImgoptError, ...]


def changes(fleet: Fleet) -> Writing:
    """All files that change. The layers are written only where no image would lack one of them."""
    problems: list[str] = []
    found: list[Change] = []
    with_plan = bool(fleet.plan.groups)
    if with_plan:
        reasons = _against(fleet)
        problems += [f"no shared layers: {each}" for each in reasons]
        with_plan = not reasons
    if with_plan:
        try:
            layers = _layers(fleet)
            require_inside(fleet.repository.root, fleet.plan_path)
        except ImgoptError as error:
            problems.append(f"no shared layers: {error}")
            with_plan = False
        else:
            found.append(
                _change(
                    fleet.repository.root,
                    fleet.plan_path,
                    plan_file.rendered(fleet.plan).encode(),
                    "the plan",
                )
            )
            found += layers
    found += _dockerfiles(fleet, problems, with_plan=with_plan)
    classic = dict.fromkeys(str(each.image.dockerfile) for each in fleet.images if each.needs_buildkit)
    notes = [
        f"{path} is shared by modules that have different layers: build it with BuildKit, podman or kaniko (docker build before "
        "23 ends with 'layer does not exist')"
        for path in classic
        if with_plan
    ]
    return Writing(tuple(each for each in found if each.changes), tuple(problems), tuple(notes), fleet.errors)


def require_inside(root: Path, path: Path) -> None:
    """InputError where a link would have a file written outside of the repository."""
    try:
        there = path.resolve()
    except (OSError, RuntimeError) as error:
        raise InputError("leads in a circle", "remove the link", path=str(path)) from error
    if not there.is_relative_to(root.resolve()):
        raise InputError("is a link that leads out of the repository", "remove the link", path=str(path))


def _change(root: Path, path: Path, new: bytes, what: str) -> Change:
    require_inside(root, path)
    return Change(str(path), _read(path), new, what)


def _read(path: Path) -> bytes | None:
    try:
        data = read_file(path, _MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", "check it", path=str(path)) from error
    if len(data) > _MOST_BYTES:
        raise InputError(f"is larger than {_MOST_BYTES:,} bytes", "no build file is", path=str(path))
    return data


# whether the layers may be written


def _against(fleet: Fleet) -> list[str]:
    """Why an image, or its build, would break with archives that have the plan's layers."""
    found = []
    for each in fleet.images:
        name = each.image.module.name
        if each.jar is None:
            found.append(f"of {name} nothing is known, since {each.unplanned}")
        elif each.breaks:
            found.append(f"{each.image.dockerfile} copies layers by their names and would lack the new ones")
        elif each.planned is not None and (missing := _not_copied(each)) is not None:
            found.append(missing)
    return found


def _not_copied(weighed: Weighed) -> str | None:
    """Why a build inside of the image would not find the file with the layers."""
    from imgopt.dockerfile import parse

    document = parse(weighed.report.original.encode("utf-8", "surrogateescape"), weighed.report.path)
    runs = "\n".join(each.text for each in document.instructions if each.keyword == "RUN")
    maven = weighed.image.module.tool == "maven"
    if not (_MAVEN if maven else _GRADLE).search(runs):
        return None
    folder = ".mvn" if maven else "gradle"
    if _brings(document, folder):
        return None
    return f"{weighed.image.dockerfile} builds the archive itself and does not copy {folder}: add COPY {folder} {folder}"


def _brings(document: Dockerfile, folder: str) -> bool:
    for each in document.instructions:
        if each.keyword in ("COPY", "ADD") and each.flag("from") is None and not each.heredocs:
            for word in each.words[:-1]:
                path = posixpath.normpath(word.text.strip("\"'").lstrip("/") or ".")
                if path == "." or path == folder or path.startswith(f"{folder}/layers"):
                    return True
    return False


# the builds' own files


def _layers(fleet: Fleet) -> list[Change]:
    planned = [each for each in fleet.images if each.planned is not None]
    versions = [
        version_tuple(each.jar.spring_boot)
        for each in planned
        if each.jar is not None and each.jar.spring_boot
    ]
    modules = all(version is not None and version[:2] >= _MODULE_LAYERS for version in versions)
    found: list[Change] = []
    for build in fleet.repository.roots:
        home = posixpath.dirname(build) or "."
        mine = [each for each in planned if _is_of(each, home, build)]
        if not mine:
            continue
        top = fleet.repository.root
        root = top / home
        if build.endswith("pom.xml"):
            xml = layer_files.layers_xml(fleet.plan, modules=modules).encode()
            found.append(_change(top, root / layer_files.MAVEN_FILE, xml, "the layers of the plan"))
            found += _poms(fleet, root, mine)
        else:
            script = layer_files.gradle_script(fleet.plan, modules=modules).encode()
            found.append(_change(top, root / layer_files.GRADLE_FILE, script, "the layers of the plan"))
            found.append(_gradle_root(top, root))
    return found


def _is_of(weighed: Weighed, home: str, build: str) -> bool:
    module = weighed.image.module
    below = home == "." or module.directory == home or module.directory.startswith(f"{home}/")
    return below and (module.tool == "maven") == build.endswith("pom.xml")


def _poms(fleet: Fleet, root: Path, images: list[Weighed]) -> list[Change]:
    """The root's pom where all inherit from it, else each module's own."""
    from imgopt.java.pom import model_of

    top = fleet.repository.root
    models = []
    for each in images:
        path = top / each.image.module.build_file
        model = model_of(path, top)
        if model is None:
            raise ContextError("cannot be read", "check it", path=str(path))
        models.append((path, [project.path.resolve() for project in model.lineage]))
    parent = (root / "pom.xml").resolve()
    inherited = all(parent in lineage for _, lineage in models)
    paths = [root / "pom.xml"] if inherited else [path for path, _ in models]
    found = {}
    for path in dict.fromkeys(paths):
        require_inside(top, path)
        data = _read(path) or b""
        found[path.resolve()] = Change(
            str(path), data, with_layers(data, str(path)), "Spring Boot's plugin reads them"
        )
    # what a pom between has of its own goes before the root's
    for path in dict.fromkeys(each for _, lineage in models for each in lineage):
        if path not in found:
            with_layers(_read(path) or b"", str(path))
    return list(found.values())


def _gradle_root(top: Path, root: Path) -> Change:
    """The root project's script applies the file with the layers."""
    kotlin = (root / "build.gradle.kts").is_file()
    path = root / ("build.gradle.kts" if kotlin else "build.gradle")
    require_inside(top, path)
    old = _read(path)
    line = _APPLIED["kotlin" if kotlin else "groovy"].format(layer_files.GRADLE_FILE).encode()
    if old is not None and layer_files.GRADLE_FILE.encode() in old:
        return Change(str(path), old, old, "")
    text = old or b""
    between = b"" if not text or text.endswith(b"\n") else b"\n"
    return Change(str(path), old, text + between + line, "the build reads them")


# Dockerfiles


def _dockerfiles(fleet: Fleet, problems: list[str], *, with_plan: bool) -> list[Change]:
    """The ordinary rewrites, of the archives as the plan makes them. Modules that share a file have to agree on it."""
    wanted: dict[Path, dict[bytes, list[str]]] = {}
    old: dict[Path, bytes] = {}
    for each in fleet.images:
        report = each.report_then if with_plan and each.report_then is not None else each.report
        path = each.image.dockerfile
        text = report.rewrite.text if report.rewrite.changed else report.original
        old[path] = report.original.encode("utf-8", "surrogateescape")
        new = text.encode("utf-8", "surrogateescape")
        wanted.setdefault(path, {}).setdefault(new, []).append(each.image.module.name)
    found = []
    for path, texts in wanted.items():
        if len(texts) > 1:
            names = " and ".join(names[0] for names in texts.values())
            problems.append(f"{path} stays: {names} would have it in different ways")
            continue
        found.append(Change(str(path), old[path], next(iter(texts)), "the rewrite"))
    return found
