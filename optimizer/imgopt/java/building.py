"""Building inside an image: the commands that build, and the packages and files that only a build needs.

The lists hold what Maven, Gradle and npm projects have in their root as a matter of course. What is in none of them
counts as something that the application may need.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from imgopt import shell
from imgopt.light.patterns import regex

#: Programs that make a Java application out of sources.
JAVA_TOOLS = frozenset(
    {"mvn", "mvnw", "mvnd", "gradle", "gradlew", "ant", "sbt", "lein", "bazel", "javac", "kotlinc", "scalac"}
)
#: Programs that make the web pages an application brings along.
WEB_TOOLS = frozenset({"npm", "npx", "yarn", "pnpm", "corepack"})
TOOLS = JAVA_TOOLS | WEB_TOOLS

BUILD_TOOLS = JAVA_TOOLS | {"jlink", "native-image"}

#: Packages that only a build needs, as apt, apk, yum and dnf call them.
TOOL_PACKAGES = frozenset(
    {
        "maven",
        "gradle",
        "ant",
        "git",
        "git-core",
        "nodejs",
        "nodejs-current",
        "node",
        "npm",
        "yarn",
        "build-essential",
        "build-base",
        "make",
        "gcc",
        "g++",
        "cmake",
        "autoconf",
        "automake",
        "libtool",
        "dos2unix",
    }
)

#: Directories of the tools themselves and of what they download.
TOOL_DIRECTORIES = regex(
    r"(?:^|/)(?:\.m2|\.gradle|\.npm|\.yarn|\.sdkman|\.nvm|apache-maven[^/]*|node_modules)(?:/|$)|^/root/\.cache(?:/|$)|"
    r"^/(?:opt|usr/share|usr/local)(?:/\w+)*/(?:maven|gradle)(?:-[\d.]+)?(?:/|$)"
)
_TOOL_DOWNLOAD = regex(
    r"apache-maven|/maven[-/]|gradle|nodesource|nodejs\.org|/node-v|yarnpkg", re.IGNORECASE
)

#: The files whose directory is a project, or a module of one.
BUILD_FILES = frozenset(
    {
        "pom.xml",
        "build.gradle",
        "build.gradle.kts",
        "settings.gradle",
        "settings.gradle.kts",
        "build.xml",
        "build.sbt",
    }
)
WEB_BUILD_FILE = "package.json"

_INPUT_DIRECTORIES = frozenset(
    {
        "src",
        "target",
        "build",
        "gradle",
        "buildSrc",
        "build-logic",
        "node_modules",
        ".mvn",
        ".gradle",
        ".git",
        ".github",
        ".gitlab",
        ".circleci",
        ".idea",
        ".vscode",
        ".settings",
        ".devcontainer",
    }
)
_INPUT_FILES = regex(
    r"""(?xi)
      pom\.xml | .*\.gradle(\.kts)? | gradle\.properties | gradlew.* | mvnw.* | build\.(xml|sbt) | lombok\.config
    | package(-lock)?\.json | yarn\.lock | pnpm-lock\.yaml
    | (readme|license|licence|notice|changelog|contributing|copying|authors|codeowners)(\.(txt|md|adoc|rst))?
    | .*\.(md|adoc|iml|dockerfile) | dockerfile.* | (docker-)?compose.*\.ya?ml | makefile | jenkinsfile.*
    | \.(git|docker)\w+ | \.editorconfig | \.travis\.yml | \.gitlab-ci\.yml | azure-pipelines.*\.yml
    | bitbucket-pipelines\.yml | \.(project|classpath|factorypath|sdkmanrc|java-version|tool-versions|nvmrc|ds_store)
    | sonar-project\.properties
    """
)
#: Scripts that fetch the build tool and run it: of no other use, wherever they are.
WRAPPERS = frozenset({"mvnw", "mvnw.cmd", "gradlew", "gradlew.bat"})
#: What a build makes, relative to its project.
_OUTPUT = regex(r"(?:^|/)(?:target|build/libs)/[^/]+\.(?:jar|war)$")


def builds(command: shell.Command) -> bool:
    """Whether a command builds or fetches what a build needs; asking a tool for its version is neither."""
    return program_of(command) in TOOLS and not _asks_version(command)


def program_of(command: shell.Command) -> str | None:
    """The command's name without its directory, told from ``$MAVEN_HOME/bin/mvn``, too."""
    if command.program is not None:
        return command.program
    name = command.words[0].text.strip("\"'").rpartition("/")[2] if command.words else ""
    return name if name and "$" not in name else None


def _asks_version(command: shell.Command) -> bool:
    words = [word.text for word in command.args]
    return bool(words) and all(word in ("-v", "-V", "--version", "-version", "version") for word in words)


def fetches_tools(words: Sequence[str | None]) -> bool:
    """Whether the addresses that a download names are all those of build tools."""
    addresses = [word for word in words if word and "://" in word]
    return bool(addresses) and all(_TOOL_DOWNLOAD.search(address) for address in addresses)


def is_input(path: str) -> bool:
    """Whether a file only serves the build; ``path`` is relative to the project or module it is in."""
    first, _, rest = path.partition("/")
    if rest:
        return first in _INPUT_DIRECTORIES
    return first in _INPUT_DIRECTORIES or _INPUT_FILES.fullmatch(first) is not None


def is_output(path: str) -> bool:
    """Whether a path is where Maven and Gradle put the archive they make."""
    return _OUTPUT.search(path) is not None


def project_of(path: str) -> str:
    """The directory of the project that makes the archive at ``path``."""
    return posixpath.dirname(re.sub(r"/(?:target|build/libs)/[^/]*$", "/x", path))
