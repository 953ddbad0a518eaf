"""What speaks against a change of base image, found from the bytes at hand.

Two questions: does anything here need the JDK, and does anything here need what the new image has not (glibc,
a command, a package manager, a path)? Each answer is a sentence for the user, with the line where it stands.
Facts on commands, libraries and locales come from published Dockerfiles and from experiments with musl and
busybox; what is not known counts as a hazard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.contents import join
from imgopt.java.command import is_java

if TYPE_CHECKING:
    from pathlib import Path

    from imgopt.bases import Base
    from imgopt.dockerfile import Instruction
    from imgopt.java.jar import Jar
    from imgopt.picture import Picture

#: Programs that only a JDK has. `jfr`, `keytool`, `rmiregistry` and `jrunscript` are in a JRE as well.
JDK_TOOLS = frozenset(
    {
        "jar",
        "javac",
        "javap",
        "javadoc",
        "jcmd",
        "jconsole",
        "jdb",
        "jdeps",
        "jdeprscan",
        "jhat",
        "jhsdb",
        "jimage",
        "jinfo",
        "jlink",
        "jmap",
        "jmod",
        "jpackage",
        "jps",
        "jshell",
        "jstack",
        "jstat",
        "jstatd",
        "native2ascii",
        "serialver",
        "jarsigner",
    }
)
BUILD_TOOLS = frozenset(
    {"mvn", "mvnw", "gradle", "gradlew", "ant", "sbt", "lein", "bazel", "javac", "jlink", "native-image"}
)

#: Class references of the application's own classes that need the JDK's modules.
_JDK_CLASSES = {
    "com/sun/tools/": "the JDK's tools API",
    "sun/tools/": "the JDK's tools API",
    "javax/tools/ToolProvider": "the Java compiler (javax.tools.ToolProvider returns null on a JRE)",
    "com/sun/jdi": "the Java debug interface",
    "jdk/jshell": "JShell",
    "sun/jvmstat": "jvmstat",
}

#: What a POSIX shell does itself.
_BUILTINS = frozenset(
    {
        ".",
        ":",
        "[",
        "alias",
        "break",
        "cd",
        "command",
        "continue",
        "echo",
        "eval",
        "exec",
        "exit",
        "export",
        "false",
        "getopts",
        "hash",
        "printf",
        "pwd",
        "read",
        "readonly",
        "return",
        "set",
        "shift",
        "test",
        "times",
        "trap",
        "true",
        "type",
        "ulimit",
        "umask",
        "unset",
        "wait",
        "local",
        "kill",
        "function",
    }
)
#: Applets of busybox on Alpine that take the options people write in Dockerfiles the way coreutils does.
_BUSYBOX = frozenset(
    {
        "awk",
        "basename",
        "cat",
        "chgrp",
        "chmod",
        "chown",
        "cp",
        "cut",
        "date",
        "dirname",
        "du",
        "env",
        "expr",
        "find",
        "grep",
        "gunzip",
        "gzip",
        "head",
        "hostname",
        "id",
        "install",
        "ln",
        "ls",
        "md5sum",
        "mkdir",
        "mktemp",
        "mv",
        "nc",
        "nohup",
        "pgrep",
        "pkill",
        "ps",
        "readlink",
        "realpath",
        "rm",
        "rmdir",
        "sed",
        "sh",
        "sha256sum",
        "sleep",
        "sort",
        "stat",
        "su",
        "tail",
        "tar",
        "tee",
        "time",
        "timeout",
        "touch",
        "tr",
        "uname",
        "uniq",
        "unzip",
        "wc",
        "wget",
        "which",
        "whoami",
        "xargs",
        "nice",
        "sync",
        "mkfifo",
        "seq",
    }
)
#: Commands that every glibc image with a shell has (coreutils and friends are essential packages there).
_COREUTILS = _BUSYBOX - {
    "wget",
    "unzip",
    "nc",
    "ps",
    "pgrep",
    "pkill",
    "which",
    "hostname",
    "find",
    "awk",
    "tar",
    "gzip",
    "gunzip",
    "xargs",
    "su",
    "time",
}

#: apt packages that carry the same name on Debian and Ubuntu.
_COMMON_DEB = frozenset(
    {
        "bash",
        "curl",
        "wget",
        "ca-certificates",
        "tzdata",
        "locales",
        "fontconfig",
        "libfreetype6",
        "fonts-dejavu",
        "fonts-dejavu-core",
        "fonts-dejavu-extra",
        "ttf-dejavu",
        "fonts-wqy-zenhei",
        "fonts-wqy-microhei",
        "fonts-noto-cjk",
        "fonts-liberation",
        "procps",
        "psmisc",
        "net-tools",
        "iproute2",
        "iputils-ping",
        "dnsutils",
        "netcat-openbsd",
        "telnet",
        "tcpdump",
        "lsof",
        "strace",
        "vim",
        "vim-tiny",
        "less",
        "unzip",
        "zip",
        "tar",
        "gzip",
        "bzip2",
        "xz-utils",
        "coreutils",
        "findutils",
        "grep",
        "sed",
        "gawk",
        "util-linux",
        "git",
        "openssh-client",
        "openssl",
        "gnupg",
        "jq",
        "python3",
        "gettext-base",
        "tini",
        "dumb-init",
        "gosu",
        "sudo",
        "passwd",
        "libstdc++6",
        "graphviz",
        "imagemagick",
        "ffmpeg",
        "nano",
        "htop",
        "supervisor",
        "cron",
        "logrotate",
        "redis-tools",
        "postgresql-client",
    }
)
#: apk packages that keep their name from Alpine 3.9 to today.
_COMMON_APK = frozenset(
    {
        "bash",
        "curl",
        "wget",
        "ca-certificates",
        "tzdata",
        "fontconfig",
        "ttf-dejavu",
        "freetype",
        "libstdc++",
        "libgcc",
        "git",
        "openssh-client",
        "openssl",
        "jq",
        "tini",
        "su-exec",
        "shadow",
        "coreutils",
        "busybox-extras",
        "gcompat",
        "libc6-compat",
        "unzip",
        "zip",
        "tar",
        "gzip",
        "procps",
        "less",
        "vim",
        "nano",
        "busybox",
        "dumb-init",
        "net-tools",
        "bind-tools",
        "graphviz",
        "gettext",
    }
)
_MANAGERS = {
    "apt": "apt",
    "apt-get": "apt",
    "dpkg": "apt",
    "apk": "apk",
    "yum": "rpm",
    "dnf": "rpm",
    "microdnf": "rpm",
    "rpm": "rpm",
    "zypper": "rpm",
}
_USER_TOOLS = frozenset({"useradd", "groupadd", "usermod", "groupmod", "adduser", "addgroup"})

_BASHISMS = re.compile(
    r"\[\[|<<<|<\(|\$\{!|\$\{\w+(?:\^\^?|,,?)|\bdeclare\b|\bshopt\b|\bfunction\s+\w+|\w+=\(|\$\{\w+\[|\bsource\b|BASH_SOURCE|\{\d+\.\.\d+\}|\$\{\w+:\d|\$\{\w+/|&>"
)
_TEXT = re.compile(
    r"\.(jar|war|ya?ml|properties|xml|json|html?|css|js|txt|md|conf|cfg|ini|sql|crt|pem|cer|key|jks|p12|ttf|ttc|otf|csv|"
    r"env|toml|ftl|png|jpe?g|gif|svg|ico|sh|bash|groovy|policy|lic|license|cer|pfx|keystore|zip|gz|tgz)$",
    re.IGNORECASE,
)

#: Flags only one vendor's virtual machine understands; others stop at them.
_VENDOR_FLAGS = {
    "-Xshareclasses": "OpenJ9",
    "-Xquickstart": "OpenJ9",
    "-Xtune:virtualized": "OpenJ9",
    "-Xgcpolicy:": "OpenJ9",
    "-Xdump:": "OpenJ9",
    "-XX:+UseWisp": "Dragonwell",
    "-XX:+EnableCoroutine": "Dragonwell",
    "-XX:+UnlockCommercialFeatures": "Oracle JDK",
    "-XX:CRaC": "CRaC builds",
    "-XX:+UseJVMCI": "GraalVM",
}


def jdk_needs(picture: Picture) -> Iterator[str]:
    """Why the final stage needs a JDK. Empty: a JRE of the same vendor line runs it just the same."""
    for instruction, text in picture.commands():
        for command in _commands(text):
            program = command.program
            if program in BUILD_TOOLS:
                yield f"line {instruction.line} builds with `{program}` in the final stage; that belongs in a stage of its own"
            elif program in JDK_TOOLS:
                yield f"line {instruction.line} calls `{program}`, which only a JDK has"
        yield from _jdk_words(text, f"line {instruction.line}")
    for instruction in picture.final.instructions():
        if instruction.keyword in ("ENV", "COPY", "ADD", "LABEL", "ARG"):
            yield from _jdk_words(instruction.text, f"line {instruction.line}")
    for file, text in picture.start_scripts:
        for command in _commands(text):
            if command.program in JDK_TOOLS | BUILD_TOOLS:
                yield f"the script {file.path} calls `{command.program}`, which only a JDK has"
                break
        yield from _jdk_words(text, f"the script {file.path}")
    for jar in picture.application_jars:
        for name in sorted(jar.references):
            for prefix, what in _JDK_CLASSES.items():
                if name.startswith(prefix):
                    yield f"the application's own classes use {what} ({name.replace('/', '.')})"
        for library in jar.libraries:
            if (library.artifact or "").startswith(("arthas-", "tools-")) or library.file == "tools.jar":
                yield f"the jar carries {library.file}, which attaches to the JVM with the JDK's tools"
    yield from _unread_start(picture)


def _jdk_words(text: str, where: str) -> Iterator[str]:
    for pattern, what in (
        (r"tools\.jar", "tools.jar"),
        (r"arthas", "Arthas, which attaches with the JDK's tools"),
        (
            r"JAVA_HOME\}?/jre/|jdk[^\s/]*/jre/|/openjdk/jre/",
            "a path below jre/ that a JRE image does not have",
        ),
        (r"jmods", "the JDK's jmods"),
        (
            r"(?<![\w./-])(?:jcmd|jstack|jmap|jps|jstat|jinfo|jhsdb|jconsole|javac|jshell)(?![\w.-])",
            "a tool that only a JDK has",
        ),
    ):
        if re.search(pattern, text):
            yield f"{where} uses {what}"


def _unread_start(picture: Picture) -> Iterator[str]:
    """The start command must be seen to run java, and nothing that could not be read."""
    if picture.calls:
        return
    if not picture.start_commands:
        yield "the file sets no ENTRYPOINT and no CMD, so the base image's own start command counts"
        return
    line = picture.start_commands[0].line
    words = picture.start_commands[0].text[:60].replace("\n", " ")
    yield f"line {line} starts `{words}`, which is not there to be read"


def _commands(text: str) -> tuple[shell.Command, ...]:
    """Commands of a shell text, those inside `sh -c` and behind `exec`, `nohup` … included."""
    found: list[shell.Command] = []
    for command in shell.parse(text).commands:
        found.append(command)
        if command.program in ("sh", "bash", "ash") and len(command.words) > 2:
            inner = command.words[-1].literal
            if inner:
                found.extend(shell.parse(inner).commands)
        elif (
            command.program
            in ("exec", "nohup", "env", "time", "sudo", "xargs", "tini", "dumb-init", "gosu", "su-exec")
            and command.args
        ):
            rest = [word for word in command.args if not word.text.startswith("-") and "=" not in word.text]
            if rest:
                found.append(
                    shell.Command(
                        (),
                        tuple(rest),
                        (),
                        rest[0].start,
                        command.end,
                        command.operator,
                        command.follows,
                        command.depth,
                    )
                )
    return tuple(found)


def base_needs(picture: Picture, target: Base) -> Iterator[str]:
    """Why the final stage cannot stand on ``target`` instead of its base. Empty: shown to be safe."""
    base = picture.base
    to_musl = target.libc == "musl" and base.libc != "musl"
    same_system = (
        base.os == target.os and base.os_version == target.os_version and base.family == target.family
    )
    yield from _start_needs(picture, base, target)
    yield from _path_needs(picture, base, target)
    yield from _flag_needs(picture, base, target)
    if not same_system:
        for instruction, text in picture.commands():
            if instruction in picture.touches:
                continue
            yield from _command_needs(
                text, f"line {instruction.line}", base, target, runs=instruction.keyword == "RUN"
            )
            yield from _unread_programs(picture, instruction, text)
        for file, text in picture.start_scripts:
            yield from _script_needs(file.path, text, base, target)
        yield from _shell_needs(picture, target)
    if to_musl:
        yield from _musl_needs(picture, target)
    yield from _font_needs(picture, base, target)


def _start_needs(picture: Picture, base: Base, target: Base) -> Iterator[str]:
    if picture.final.last("USER") is None and (base.user or "root") != (target.user or "root"):
        yield f"{base.name} runs as {base.user or 'root'}, {target.name} as {target.user or 'root'}"
    if picture.final.last("ENTRYPOINT") is None:
        if base.entrypoint and base.entrypoint != target.entrypoint and not _passes_on(base):
            yield f"the start command uses the entrypoint of {base.name} ({' '.join(base.entrypoint)})"
        elif target.entrypoint and not base.entrypoint and not _passes_on(target):
            yield f"{target.name} has an entrypoint of its own ({' '.join(target.entrypoint)})"


def _passes_on(base: Base) -> bool:
    """Entrypoints that end in ``exec "$@"`` and do nothing unless asked to."""
    return (
        bool(base.entrypoint)
        and base.entrypoint is not None
        and base.entrypoint[0].endswith("__cacert_entrypoint.sh")
    )


def _path_needs(picture: Picture, base: Base, target: Base) -> Iterator[str]:
    """Paths into the old image's Java that the new one has elsewhere."""
    if base.java_home is not None and base.java_home == target.java_home:
        return
    pattern = re.compile(
        r"/usr/lib/jvm/|/usr/local/openjdk|/opt/java/openjdk|/usr/java/|/opt/jdk\b|/usr/lib/jvm\b|/usr/bin/java\b|/docker-java-home"
    )
    for instruction in picture.final.instructions():
        match = pattern.search(instruction.text)
        if match:
            yield f"line {instruction.line} names {match.group()}, where {target.name} has no Java"
    for file, text in picture.start_scripts:
        match = pattern.search(text)
        if match:
            yield f"the script {file.path} names {match.group()}, where {target.name} has no Java"


def _flag_needs(picture: Picture, base: Base, target: Base) -> Iterator[str]:
    if base.vm != target.vm and base.vm is not None and target.vm is not None:
        yield f"{base.name} runs {base.vm}, {target.name} runs {target.vm}"
        return
    if base.family == target.family:
        return
    texts = [
        (f"line {i.line}", i.text)
        for i in picture.final.instructions()
        if i.keyword in ("ENV", "ENTRYPOINT", "CMD")
    ]
    texts += [(f"the script {file.path}", text) for file, text in picture.start_scripts]
    for where, text in texts:
        for flag, vendor in _VENDOR_FLAGS.items():
            if flag in text:
                yield f"{where} has {flag}, which only {vendor} understands"


def _command_needs(text: str, where: str, base: Base, target: Base, *, runs: bool) -> Iterator[str]:
    script = shell.parse(text)
    if script.broken:
        yield f"{where} holds shell text that could not be read"
        return
    for command in _commands(text):
        program = command.program
        if program is None:
            continue
        if program in _MANAGERS:
            yield from _package_needs(command, where, base, target)
        elif program in ("curl", "wget", "git") and runs and target.libc == "musl" and base.libc != "musl":
            yield f"what {where} downloads with {program} may be built for glibc"
        elif program in _USER_TOOLS:
            yield from _user_needs(command, where, base, target)
        elif not _has(program, target) and not command.name.startswith(("./", "/")):  # type: ignore[union-attr]
            yield f"{where} calls `{program}`, which {target.name} is not known to have"
        elif (
            command.name
            and command.name.startswith(("/bin/bash", "/usr/bin/bash"))
            and "bash" not in target.has
        ):
            yield f"{where} calls bash, which {target.name} has not"
        zone = program in ("ln", "cp") and any("/usr/share/zoneinfo" in word.text for word in command.args)
        if zone and ("tzdata" in target.lacks or ("tzdata" not in target.has and program == "cp")):
            yield f"{where} takes a time zone file, and {target.name} has no tzdata"
    if (
        re.search(
            r"localedef|locale-gen|update-locale|dpkg-reconfigure|timedatectl|update-alternatives", text
        )
        and base.os != target.os
    ):
        yield f"{where} sets up {base.os or 'its system'} with a command that {target.os or target.name} has not"
    if re.search(r"/etc/(apt|yum|apk|nsswitch|security|ssl|pki)", text) and base.os != target.os:
        yield f"{where} edits system files that {target.name} keeps elsewhere"


def _unread_programs(picture: Picture, instruction: Instruction, text: str) -> Iterator[str]:
    """Programs called by path that are neither the system's nor scripts that were read."""
    scripts = {file.path.rsplit("/", 1)[-1] for file, _ in picture.start_scripts}
    for command in _commands(text):
        name, program = command.name, command.program
        if name is None or program is None or "/" not in name or is_java(name):
            continue
        if program not in scripts and not name.startswith(("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/")):
            yield f"line {instruction.line} runs {name}, which is not there to be read"


def _has(program: str, target: Base) -> bool:
    if program in target.lacks:
        return False
    if (
        program in _BUILTINS
        or program in target.has
        or program in ("java", "keytool", "jfr", "rmiregistry", "jrunscript")
    ):
        return True
    if target.os == "distroless":
        return False
    return program in (_BUSYBOX if target.libc == "musl" else _COREUTILS)


def _package_needs(command: shell.Command, where: str, base: Base, target: Base) -> Iterator[str]:
    program = command.program or ""
    manager = _MANAGERS[program]
    has = target.has | ({"rpm"} if target.has & {"yum", "dnf", "microdnf"} else set())
    if manager not in has or (manager == "rpm" and program not in target.has):
        yield f"{where} installs packages with {program}, which {target.name} has not"
        return
    if manager == "rpm" and base.os != target.os:
        yield f"{where} installs packages with {program}, from other repositories on {target.name}"
        return
    words = [word.literal for word in command.args]
    if not words or not any(word in ("install", "add") for word in words):
        if program in ("dpkg", "rpm"):
            yield f"{where} uses {program}, whose packages are made for {base.os or base.name}"
        return
    known = _COMMON_DEB if manager == "apt" else _COMMON_APK
    for word in words:
        if word is None:
            yield f"{where} installs packages named by a variable"
        elif word.startswith(("-", ".")) or word in ("install", "add", "update"):
            continue
        elif "=" in word or "~" in word:
            yield f"{where} pins {word}, a version that {target.name} will not offer"
        elif word.startswith(("openjdk", "default-j", "java-")):
            yield f"{where} installs another Java ({word})"
        elif word not in known:
            yield f"{where} installs {word}, which {target.name} is not known to offer under this name"


def _user_needs(command: shell.Command, where: str, base: Base, target: Base) -> Iterator[str]:
    program = command.program or ""
    if target.libc != "musl":
        if (
            program in ("adduser", "addgroup")
            and (base.os in ("debian", "ubuntu"))
            and target.os in ("debian", "ubuntu")
        ):
            # Ubuntu images of the JRE may lack adduser, a package of its own; useradd is essential
            if "adduser" not in target.has:
                yield f"{where} calls `{program}`, which {target.name} is not known to have"
        elif program not in target.has and not (
            program.endswith(("add", "mod")) and target.os in ("debian", "ubuntu")
        ):
            yield f"{where} calls `{program}`, which {target.name} is not known to have"
        return
    if program not in ("adduser", "addgroup"):
        yield f"{where} calls `{program}`, which {target.name} has not"
        return
    if base.libc == "musl" and base.os == "alpine":
        return
    both = {"--system", "--gid", "--uid", "--ingroup", "--shell", "--home", "--disabled-password", "--gecos"}
    for word in command.args:
        option = word.text.partition("=")[0]
        if option.startswith("-") and option not in both:
            yield f"{where} gives `{program}` the option {option}, which means something else or nothing on Alpine"
            return


def _script_needs(path: str, text: str, base: Base, target: Base) -> Iterator[str]:
    first = text.split("\n", 1)[0]
    bash = first.startswith("#!") and "bash" in first
    if bash and "bash" not in target.has:
        yield f"the script {path} runs in bash, which {target.name} has not"
        return
    if not bash and base.os not in ("debian", "ubuntu", "alpine") and _BASHISMS.search(text):
        yield f"the script {path} uses bash syntax, and `sh` is no bash on {target.name}"
    if "\r\n" in text[:200] and first.startswith("#!"):
        return
    yield from _command_needs(text, f"the script {path}", base, target, runs=False)


def _shell_needs(picture: Picture, target: Base) -> Iterator[str]:
    for instruction in picture.final.instructions():
        if instruction.keyword == "SHELL" and instruction.json:
            program = instruction.json[0].rsplit("/", 1)[-1]
            if program not in ("sh", "ash") and program not in target.has:
                yield f"line {instruction.line} runs commands in {program}, which {target.name} has not"


def _musl_needs(picture: Picture, target: Base) -> Iterator[str]:
    """What is built for glibc, or may be."""
    for instruction in picture.final.instructions():
        if instruction.keyword == "ENV" and re.search(r"LD_PRELOAD|LD_LIBRARY_PATH", instruction.text):
            yield f"line {instruction.line} loads native libraries (LD_PRELOAD or LD_LIBRARY_PATH)"
        if instruction.keyword == "ENV" and re.search(
            r"(LANG|LC_ALL|LC_CTYPE)[= ].*(GBK|GB2312|GB18030|Big5|ISO-?8859|SJIS|EUC)",
            instruction.text,
            re.IGNORECASE,
        ):
            yield f"line {instruction.line} sets a locale that is not UTF-8; musl turns every locale into UTF-8"
    asked = picture.environment.get("LC_ALL") or picture.environment.get("LANG")
    there = {"c.utf-8", "c.utf8", "c", "posix", (picture.base.env.get("LANG") or "c").lower()}
    if asked and asked.lower() not in there:
        yield f"the locale {asked} is not in {picture.base.name}, so it has no effect there; on Alpine it would have one"
    options = picture.options
    if options.runtime != "alpine":
        if not picture.artifacts and not picture.application_jars:
            yield "which application runs here, and whether it needs glibc, cannot be seen"
        for artifact in picture.unread_artifacts:
            yield f"{' '.join(artifact.sources)} is not there to be read, so its native libraries are not known"
    for jar in picture.application_jars:
        yield from _native_needs(picture, jar, target)
    copied = {id(artifact.instruction) for artifact in picture.artifacts}
    for layer in picture.layers:
        instruction = layer.instruction
        if instruction.keyword in ("COPY", "ADD") and not layer.complete and id(instruction) not in copied:
            what = instruction.text if len(instruction.text) < 60 else instruction.text[:57] + "..."
            yield f"line {instruction.line} brings files that are not there to be read ({what})"
        for file in layer.files:
            if file.origin is not None and not _TEXT.search(file.path) and _is_native(file.origin):
                yield f"{file.path} is a native program or library (line {instruction.line})"
    for call in picture.calls:
        for option in call.options:
            if option.startswith("-agentpath") or (
                option.startswith("-agentlib:") and not option.startswith("-agentlib:jdwp")
            ):
                yield f"the start command loads a native agent ({option})"
            if option.startswith("-javaagent:"):
                agent = _agent(picture, option)
                if agent is None:
                    yield f"the start command loads an agent that is not there to be read ({option})"
                else:
                    yield from _native_needs(picture, agent, target)


def _agent(picture: Picture, option: str) -> Jar | None:
    """The Java agent's jar, when it is among the copied files."""
    path = option.partition(":")[2].partition("=")[0]
    file = picture.final.content.files.get(join(picture.final.content.workdir, path))
    return picture.jars(file.origin) if file is not None and file.origin is not None else None


def _native_needs(picture: Picture, jar: Jar, target: Base) -> Iterator[str]:
    name = jar.path.rsplit("/", 1)[-1]
    if not jar.natives_complete:
        yield f"{name} could not be searched for native libraries completely"
    if jar.kind in ("thin", "quarkus-fast") and len(picture.application_jars) < 2:
        yield f"the libraries of {name} lie beside it and are not there to be read"
    architectures = {platform.split("/")[1] for platform in picture.platforms}
    for native in jar.natives:
        if native.os != "linux" or native.arch not in architectures or native.libc == "musl":
            continue
        if native.musl_twin is not None:
            continue
        there = native.musl_verdict == "loads" or (
            native.musl_verdict == "needs" and all(package in target.has for package in native.musl_packages)
        )
        if there and not native.undefined:
            continue
        what = native.path.rsplit("/", 1)[-1]
        where = native.library or native.path.split("!")[0].rsplit("/", 1)[-1]
        reason = native.musl_reason or "it is built for glibc"
        if there:
            reason = f"it calls {native.undefined[0]}, which musl does not have"
        yield f"{where} carries the native library {what} for {native.os}/{native.arch}: {reason}"


def _is_native(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in (b"\x7fELF", b"MZ\x90\x00", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
    except OSError:
        return True


_FONT_LIBRARIES = re.compile(
    r"kaptcha|easy-captcha|patchca|simplecaptcha|hutool-captcha|hutool-all|captcha|poi-ooxml|easyexcel|fastexcel|jxls|itext|openpdf|"
    r"flying-saucer|pdfbox|jasperreports|jfreechart|batik|thumbnailator|imgscalr|aspose"
)


def _font_needs(picture: Picture, base: Base, target: Base) -> Iterator[str]:
    if "fonts" in target.has or not ("fonts" in target.lacks or "fontconfig" in target.lacks):
        return
    if "fonts" in base.lacks:
        return
    for jar in picture.application_jars:
        for library in jar.libraries:
            if _FONT_LIBRARIES.search(library.file):
                yield f"{library.file} draws text, and {target.name} has no fonts"
                return
        if any(name.startswith("java/awt") for name in jar.references):
            yield f"the application draws with AWT, and {target.name} has no fonts"
            return
