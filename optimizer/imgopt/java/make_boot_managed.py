"""Ask Maven what Spring Boot manages: ``python make_boot_managed.py DIRECTORY > boot_managed.tsv``, with Maven and a network.

For each line of `LINES` a project is made below DIRECTORY that has a module for every patch; each imports that patch's
`spring-boot-dependencies`, and Maven's effective poms say what that manages, what it imports in turn included. Milestones and
release candidates are left out. Not imported by imgopt: it documents how the table came about.
"""

from __future__ import annotations

import datetime
import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

LINES = ("2.7", "3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "4.0", "4.1")
BOM = ("org.springframework.boot", "spring-boot-dependencies")
PLUGINS = "org.apache.maven.plugins"
#: What is published for builds and never lies in an application's jar.
_FOR_BUILDS = re.compile(r".*(?:-maven-plugin|-gradle-plugin|-bom)|maven-.*-plugin")
_IMPORT = """\
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <parent><groupId>managed</groupId><artifactId>all</artifactId><version>1</version></parent><artifactId>{1}</artifactId>
  <packaging>pom</packaging><dependencyManagement><dependencies><dependency><groupId>{0[0]}</groupId>
    <artifactId>{0[1]}</artifactId><version>{1}</version><type>pom</type><scope>import</scope>
  </dependency></dependencies></dependencyManagement></project>
"""
_ALL = """\
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>managed</groupId><artifactId>all</artifactId><version>1</version><packaging>pom</packaging>{}</project>
"""
#: A range makes Maven fetch the list of all versions.
_RANGE = """<dependencies><dependency><groupId>{0[0]}</groupId><artifactId>{0[1]}</artifactId><version>[{1},)</version><type>pom</type>
  <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency></dependencies>"""

Managed = Mapping[tuple[str, str], str]
"""(group, artifact) -> version, of one patch."""


def maven(directory: Path, *words: str) -> None:
    repository = f"-Dmaven.repo.local={directory / 'repository'}"
    subprocess.run(["mvn", "-q", "-B", repository, *words], cwd=directory, check=True, stdout=sys.stderr)


def published(directory: Path) -> list[str]:
    """All releases of Spring Boot's BOM in the lines that are asked for, oldest first."""
    (directory / "pom.xml").write_text(_ALL.format(_RANGE.format(BOM, LINES[-1])))
    maven(directory, f"{PLUGINS}:maven-dependency-plugin:3.6.1:list")
    place = directory.joinpath("repository", *BOM[0].split("."), BOM[1])
    names = {
        version.text or ""
        for file in place.glob("maven-metadata-*.xml")
        for version in ET.parse(file).iter("version")
    }
    releases = {
        name for name in names if re.fullmatch(r"\d+\.\d+\.\d+", name) and name.rpartition(".")[0] in LINES
    }
    return sorted(releases, key=lambda name: [int(part) for part in name.split(".")])


def managed(directory: Path, patches: Sequence[str]) -> list[Managed]:
    """What each of these patches manages, in their order."""
    modules = "".join(f"<module>{patch}</module>" for patch in patches)
    (directory / "pom.xml").write_text(_ALL.format(f"<modules>{modules}</modules>"))
    for patch in patches:
        (directory / patch).mkdir(exist_ok=True)
        (directory / patch / "pom.xml").write_text(_IMPORT.format(BOM, patch))
    told = directory / "effective.xml"
    maven(directory, f"{PLUGINS}:maven-help-plugin:3.4.0:effective-pom", f"-Doutput={told}")
    found = dict(map(_read, _projects(told)))
    return [found[patch] for patch in patches]


def _projects(told: Path) -> Iterator[ET.Element]:
    for element in ET.parse(told).iter():
        if element.tag.endswith("}project"):
            yield element


def _read(project: ET.Element) -> tuple[str, Managed]:
    def text(element: ET.Element, name: str) -> str:
        return element.findtext(f"{{*}}{name}") or ""

    entries = project.iterfind("{*}dependencyManagement/{*}dependencies/{*}dependency")
    return text(project, "artifactId"), {
        (text(each, "groupId"), text(each, "artifactId")): text(each, "version")
        for each in entries
        if text(each, "type") in ("", "jar") and not _FOR_BUILDS.fullmatch(text(each, "artifactId"))
    }


def moves(patches: Sequence[Managed]) -> dict[tuple[str, str], int]:
    """For what the last patch of a line manages: with how many in ten of its patches another version came."""
    steps = list(itertools.pairwise(patches))
    last = patches[-1]
    return {
        key: round(9 * sum(one.get(key) != other.get(key) for one, other in steps) / max(1, len(steps)))
        for key in last
    }


def rows(lines: Sequence[Mapping[tuple[str, str], int]]) -> list[str]:
    """One for each group and habit: group, a mark for each line ("-": not managed), artifacts."""
    habits: dict[tuple[str, str], list[str]] = {}
    for group, artifact in sorted({key for line in lines for key in line}):
        marks = "".join(str(line.get((group, artifact), "-")) for line in lines)
        habits.setdefault((group, marks), []).append(artifact)
    return ["\t".join((group, marks, " ".join(names))) for (group, marks), names in sorted(habits.items())]


def main() -> None:
    directory = Path(sys.argv[1]).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    releases = published(directory)
    newest, found = [], []
    for line in LINES:
        patches = [release for release in releases if release.rpartition(".")[0] == line]
        found.append(moves(managed(directory, patches)))
        newest.append(patches[-1])
    print(f"# {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}\t{' '.join(newest)}")
    print("\n".join(rows(found)))


if __name__ == "__main__":
    main()
