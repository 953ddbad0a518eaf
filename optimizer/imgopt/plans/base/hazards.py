"""What speaks against a change of base image, found from the bytes at hand.

Two questions: does anything here need the JDK, and does anything here need what the new image has not (glibc,
a command, a package manager, a path)? Each answer is a sentence for the user, with the line where it stands.
Facts on commands, libraries and locales come from published Dockerfiles and from experiments with musl and
busybox; what is not known counts as a hazard.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.bases.families.common import APT, DEBIAN, UBUNTU
from imgopt.dockerfile import Instruction, assignments
from imgopt.files.opening import open_file
from imgopt.finding import Reason, Sentence, because, say
from imgopt.java.building import BUILD_TOOLS, JAVA_TOOLS
from imgopt.java.command import is_java
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.os_packages.commands import MANAGERS, commands_of, package_with
from imgopt.picture.application import libraries, own_references
from imgopt.picture.class_archives import brings_archives_alone
from imgopt.picture.class_paths import code_places, running_options
from imgopt.picture.java_options import options_of
from imgopt.picture.scripts import SH, command_text
from imgopt.picture.written import kind_of_sh
from imgopt.plans.base.adapting import first_number
from imgopt.plans.base.starting import (
    BASH_WORDS,
    Text,
    called_by_java,
    copied_program,
    is_bash,
    is_understood,
    other_scripts,
    programs_of,
    script_texts,
    unknown_runs,
)
from imgopt.plans.tied import lacks_archive_of_the_jdk
from imgopt.shell import all_commands

if TYPE_CHECKING:
    from pathlib import Path

    from imgopt.bases import Base
    from imgopt.java.model import Jar
    from imgopt.java.natives import NativeLibrary
    from imgopt.picture import Picture
    from imgopt.plans.base.adapting import Adaptation

#: Programs that only a JDK has. `jfr`, `keytool`, `rmiregistry` and `jrunscript` are in a JRE as well.
JDK_TOOLS = frozenset(
    (
        "jar javac javap javadoc jcmd jconsole jdb jdeps jdeprscan jhat jhsdb jimage jinfo jlink jmap jmod "
        "jpackage jps jshell jstack jstat jstatd native2ascii serialver jarsigner"
    ).split()
)

#: Class references of the application's own classes that need the JDK's modules.
_JDK_CLASSES = {
    "com/sun/tools/": "the JDK's tools API",
    "sun/tools/": "the JDK's tools API",
    "javax/tools/ToolProvider": "the Java compiler (javax.tools.ToolProvider returns null on a JRE)",
    "com/sun/jdi": "the Java debug interface",
    "net/bytebuddy/agent/ByteBuddyAgent": "ByteBuddyAgent, which attaches to its own JVM",
    "com/sun/tools/attach": "the attach API",
    "jdk/jshell": "JShell",
    "sun/jvmstat": "jvmstat",
}

#: What a POSIX shell does itself.
_BUILTINS = frozenset(
    (
        ". : [ alias break cd command continue echo eval exec exit export false getopts hash printf pwd read "
        "readonly return set shift test times trap true type ulimit umask unset wait local kill function"
    ).split()
)
#: Applets of busybox on Alpine that take the options people write in Dockerfiles the way coreutils does.
_BUSYBOX = frozenset(
    (
        "awk basename cat chgrp chmod chown cp cut date dirname du env expr find grep gunzip gzip head hostname id "
        "install ln ls md5sum mkdir mktemp mv nc nohup pgrep pkill ps readlink realpath rm rmdir sed sh sha256sum "
        "sleep sort stat su tail tar tee time timeout touch tr uname uniq unzip wc wget which whoami xargs nice "
        "sync mkfifo seq dd df diff free killall less nproc od printenv sha1sum tac truncate yes"
    ).split()
)
#: Commands that every glibc image with a shell has (coreutils and friends are essential packages there).
_COREUTILS = _BUSYBOX - set(
    (
        "wget unzip nc ps pgrep pkill which hostname find awk tar gzip gunzip xargs su time diff free killall less"
    ).split()
)
#: What Debian and Ubuntu have besides, in packages that no image lacks. Their `awk` is mawk on both; Red Hat's is gawk.
_ESSENTIAL = _COREUTILS | frozenset(
    (
        "bash cmp diff egrep fgrep find flock getconf getent getopt gunzip gzip hostname iconv ionice locale logger "
        "mountpoint perl renice setpriv setsid stdbuf su tar taskset which xargs zcat zgrep"
    ).split()
)
#: Long options that busybox's applets share with GNU's programs; the others stop them.
_BUSYBOX_LONG = {
    "wget": "--spider --quiet --output-document --header --post-data --no-check-certificate --timeout --user-agent --tries",
    "tar": "--strip-components --strip --directory --extract --file --gzip --exclude --create --verbose",
    "mkdir": "--parents --mode",
    "nohup": "",
    "install": "--directory --mode --owner --group",
    "grep": "",
}
#: Short forms that only GNU's programs have, by program.
_GNU_ONLY = {
    "find": regex(r"^-(printf|fprintf|regextype|ls)$"),
    "grep": regex(r"^-[a-zA-Z]*P"),
    "xargs": regex(r"^-[a-zA-Z]*d"),
    "stat": regex(r"^--printf"),
    "wget": regex(r"^-[a-zA-Z]*[NbrmpkEKHLDRA]"),
    "date": regex(r"^--"),
    "tail": regex(r"^--pid"),
    "cp": regex(r"^--"),
    "sed": regex(r"^-[a-zA-Z]*z"),
    "ps": regex(r"^-[a-zA-Z]*[pCuU]"),
    "su": regex(r"^--"),
}
#: Where Alpine has a program that Debian's line has elsewhere, when it is called by its full path.
_ALPINE_PATHS = frozenset(
    (
        "/bin/sh /bin/ash /bin/bash /usr/bin/env /usr/bin/curl /usr/bin/wget /usr/bin/dumb-init /sbin/tini "
        "/sbin/su-exec /usr/bin/gosu /bin/cat /bin/chmod /bin/chown /bin/cp /bin/date /bin/echo /bin/false "
        "/bin/grep /bin/kill /bin/ln /bin/ls /bin/mkdir /bin/mv /bin/ps /bin/rm /bin/sed /bin/sleep /bin/tar "
        "/bin/touch /bin/true /usr/bin/id /usr/bin/test /usr/bin/tail /usr/bin/find /usr/bin/awk /usr/bin/head "
        "/usr/bin/sort /usr/bin/tr /usr/bin/wc /usr/bin/xargs /usr/bin/unzip /usr/bin/nohup /usr/bin/printf "
        "/bin/su /usr/bin/nc /usr/bin/jq /usr/sbin/adduser"
    ).split()
)

USER_TOOLS = frozenset({"useradd", "groupadd", "usermod", "groupmod", "adduser", "addgroup"})

#: What bash reads and other shells take for something else, beside its own words (`BASH_WORDS`).
_BASHISMS = regex(
    r"<<<|<\(|\$\{!|\$\{\w+(?:\^\^?|,,?)|\w=\(|\$\{\w+\[|BASH_SOURCE|\{\d+\.\.\d+\}|\$\{\w+:\d|\$\{\w+/|&>|/dev/(?:tcp|udp)/"
)
#: Looked for one after the other: one expression for both takes the square of the text's length.
_LOCALE_VARIABLE = regex(r"(?:LANG|LC_ALL|LC_CTYPE)[= ]", re.IGNORECASE)
_OTHER_CHARSET = regex(r"GBK|GB2312|GB18030|Big5|ISO-?8859|SJIS|EUC", re.IGNORECASE)
_TEXT = regex(
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


#: Reasons that are only what cannot be seen here: the change may well be right, but nobody can show it.
DOUBTS = ("unseen", "not-known")


def jdk_needs(
    picture: Picture, *, keeps_jre_directory: bool = False, starts: bool = True
) -> Iterator[Reason]:
    """Why the final stage needs a JDK. Empty: a JRE of the same vendor line runs it just the same.

    ``keeps_jre_directory``: the JRE lies where the JDK has it, below ``jre/`` for Java 8, as in packages; JRE images
    and archives have no such directory. ``starts``: False for a stage that no container is started from.
    """
    for instruction, text in picture.commands():
        for command, program in _programs(picture, text):
            if program in JAVA_TOOLS:
                yield because(
                    "certain",
                    "{} builds with `{}` in the final stage (see build-tools)",
                    instruction,
                    program,
                )
            elif program in BUILD_TOOLS:
                yield because(
                    "certain",
                    "{} builds with `{}` in the final stage; that belongs in its own stage",
                    instruction,
                    program,
                )
            elif program in JDK_TOOLS:
                yield because("certain", "{} calls `{}`, which only a JDK has", instruction, program)
            elif program == "java" and any((word.literal or "").endswith(".java") for word in command.args):
                yield because(
                    "certain",
                    "{} starts a source file, which java compiles with the JDK's compiler",
                    instruction,
                )
        yield from _jdk_words(text, instruction, keeps_jre_directory)
    for instruction in picture.final.instructions():
        if instruction.keyword in ("ENV", "COPY", "ADD", "LABEL", "ARG"):
            yield from _jdk_words(instruction.text, instruction, keeps_jre_directory)
    for place, text in picture.running.said_elsewhere:
        yield from _jdk_words(text, place, keeps_jre_directory)
    for each in called_by_java(picture):
        yield from _jdk_words(each.text, each.where, keeps_jre_directory)
    for file, text in picture.start_scripts:
        for _, program in _programs(picture, text):
            if program in JDK_TOOLS | BUILD_TOOLS:
                yield because("certain", "the script {} calls `{}`, which only a JDK has", file.path, program)
                break
        yield from _jdk_words(text, f"the script {file.path}", keeps_jre_directory)
    for name in sorted(own_references(picture)):
        for prefix, what in _JDK_CLASSES.items():
            if name.startswith(prefix):
                yield because(
                    "certain", "the application's own classes use {} ({})", what, name.replace("/", ".")
                )
    for library in libraries(picture):
        carries = "the jar carries" if library.in_jar else "the image carries"
        does = None
        if library.artifact.startswith(("arthas-", "tools-")) or library.file == "tools.jar":
            does = "attaches to the JVM with the JDK's tools"
        elif _ATTACHING.match(library.file):
            does = "attaches to its own JVM and needs the JDK for that"
        elif _COMPILING.match(library.file):
            does = "compiles Java while it runs and needs the JDK for that"
        if does is not None:
            yield because("certain", "{} {}, which {}", carries, library.file, does)
    if starts:
        yield from unknown_runs(picture)
        yield from _unread_start(picture)
        for where, text in (
            *picture.start_texts,
            *((check.where, check.text) for check in picture.running.checks),
            *((each.where, each.text) for each in called_by_java(picture)),
        ):
            yield from _unread_programs(picture, where, text)
        yield from _unread_agents(picture)
        yield from _unread_application(picture)


def _programs(picture: Picture, text: str) -> Iterator[tuple[shell.Command, str]]:
    """The programs that a shell text runs, each with the command that does."""
    for each in shell.started(text):
        for program in () if each.own else programs_of(picture, each):
            yield each.command, program


#: Libraries that attach an agent to the JVM they run in (their documentation asks for a JDK) ...
_ATTACHING = regex(r"(opentelemetry-runtime-attach|apm-agent-attach|jattach|elastic-apm-attach|arthas)")
#: ... and that call the Java compiler.
_COMPILING = regex(r"(liquor-|compileflow-|in-memory-java-compiler|InMemoryJavaCompiler)")


#: Words that only make sense with a JDK.
_JDK_WORDS = (
    (r"tools\.jar", "tools.jar"),
    (r"arthas", "Arthas, which attaches with the JDK's tools"),
    (r"jmods", "the JDK's jmods"),
    (
        r"(?:(?<![\w./-])|/bin/)(?:jcmd|jstack|jmap|jps|jstat|jinfo|jhsdb|jconsole|javac|jshell)(?![\w.-])",
        "a tool that only a JDK has",
    ),
)
_JRE_DIRECTORY = (
    r"(?:JAVA_HOME\}?|jdk[^\s/]*|/openjdk)/jre(?![\w.-])",
    "a path below jre/ that a JRE image does not have",
)


def _jdk_words(text: str, where: str | Instruction, keeps_jre_directory: bool) -> Iterator[Reason]:
    for pattern, what in _JDK_WORDS if keeps_jre_directory else (*_JDK_WORDS, _JRE_DIRECTORY):
        if re.search(pattern, text):
            yield because("certain", "{} uses {}", where, what)


def _unread_application(picture: Picture) -> Iterator[Reason]:
    """What the application calls stands in its jar, and what it is made of in its build file; a file name tells
    neither."""
    unread = picture.unread_artifacts
    if picture.application_jars and not unread:
        return
    facts = picture.build_facts
    if facts is not None:
        for library in facts.libraries:
            artifact = library.split(":")[1] if ":" in library else library
            if _ATTACHING.match(artifact) or _COMPILING.match(artifact) or artifact.startswith("arthas-"):
                file = facts.path.rsplit("/", 1)[-1]
                yield because("certain", "{} names {}, which needs the JDK while it runs", file, artifact)
        return
    named = " ".join(unread[0].sources) if unread else "the application's jar"
    yield because("unseen", "neither {} nor a build file of it is available", named)


def _unread_agents(picture: Picture) -> Iterator[Reason]:
    """Agents that no COPY of the context brings: from another image, the network, a volume. What one needs of Java and of
    the system stands in its jar."""
    for option in {option.text: option for option in running_options(picture)}.values():
        if option.text.startswith("-javaagent:") and _agent(picture, option.text) is None:
            where = "the start command" if option.where in picture.start_commands else option.where
            yield because("unseen", "{} loads an agent that is not available ({})", where, option.text)


def _laid_over(picture: Picture) -> Iterator[Reason]:
    """The application's jar is another one where something is laid over it."""
    started = {picture.at_start(call.jar) for call in picture.calls if call.jar is not None}
    for jar in sorted(started | {artifact.path for artifact in picture.artifacts if artifact.path}):
        told = picture.running.mount_over(jar)
        if told is not None:
            yield because(
                "unseen", "{} lays {} over {}, which is not available", told.where, told.words[0], jar
            )


def _unread_containers(picture: Picture) -> Iterator[Reason]:
    if picture.running.unread is not None:
        yield because(
            "unseen",
            "{} and what follows it say more about containers than is read",
            picture.running.unread,
        )


def _unread_start(picture: Picture) -> Iterator[Reason]:
    """The start commands must be seen to run java, and nothing that could not be read."""
    yield from _unread_containers(picture)
    if picture.running.unread is None:
        yield from _laid_over(picture)
    direct = {call for process in picture.running.starts for call in picture.calls_of(process)}
    by_scripts = any(call not in direct for call in picture.calls)
    for process in picture.running.starts:
        if isinstance(process.where, str) and not picture.calls_of(process):
            script = _started_file(picture, process.text)
            if script is None and not _is_plain(picture, process.text):
                words = process.text[:60].replace("\n", " ")
                yield because("unseen", "{} starts `{}`, which is not available", process.where, words)
            elif script is not None and not by_scripts:
                yield because(
                    "not-known",
                    "{} starts {}, and no java command was found in it",
                    process.where,
                    script,
                )
    own = [process for process in picture.running.starts if not isinstance(process.where, str)]
    if by_scripts or any(map(picture.calls_of, own)) or picture.base_script is not None:
        return
    if not picture.start_commands:
        if picture.running.starts:
            return  # it runs as other files say
        yield because(
            "not-known",
            "the file sets no ENTRYPOINT and no CMD, so the base image's own start command counts",
        )
        return
    start = picture.start_commands[0]
    words = start.text[:60].replace("\n", " ")
    read = _started_file(picture, *(process.text for process in own))
    if read is None:
        yield because("unseen", "{} starts `{}`, which is not available", start, words)
    else:
        yield because("not-known", "{} starts {}, and no java command was found in it", start, read)


def _is_plain(picture: Picture, text: str) -> bool:
    """Whether shell text runs nothing but programs of every system."""
    return all(
        each.own or program in _BUILTINS | _BUSYBOX | _ESSENTIAL | {"curl"}
        for each in shell.started(text)
        for program in programs_of(picture, each) or ("",)
    )


def _started_file(picture: Picture, *texts: str) -> str | None:
    """The copied script or program that a start command names first."""
    for text in texts:
        for command in all_commands(text):
            for word in command.words:
                found = _copied(picture, word.literal or "")
                if found is not None:
                    return found
    return None


def _copied(picture: Picture, name: str) -> str | None:
    """The path of the file of the context that is called so in the image: by its place, or by name in the PATH."""
    path = picture.at_start(name) if "/" in name else None
    for file in picture.known_files.values():
        if (file.origin is None and file.text is None) or not name or file.path.endswith((".jar", ".war")):
            continue
        if file.path == path or (path is None and posixpath.basename(file.path) == name):
            return file.path
    return None


def _unread(picture: Picture, name: str) -> str:
    return "is not available" if _copied(picture, name) is None else "could not be read as a script"


#: What the JRE packages of the distributions lack beside `JDK_TOOLS`; JRE images have these.
_NOT_IN_PACKAGES = frozenset({"jfr", "jjs", "jrunscript", "jwebserver"})
#: What compiles native code, perhaps against the JDK's headers.
_COMPILERS = frozenset({"make", "cmake", "gcc", "g++", "cc", "c++", "clang", "ninja", "scons"})
_BUILD_PACKAGES = frozenset({"maven", "gradle", "ant", "sbt", "leiningen", "apache-maven", "visualvm"})
#: Paths into a Java installation that a JRE lacks, whoever packaged it.
_JDK_PATHS = regex(
    rf"/bin/(?:{'|'.join(sorted(JDK_TOOLS | _NOT_IN_PACKAGES))})(?![\w.-])"
    r"|(?:JAVA_HOME\}?|/jvm/[^/\s:\"']+|/openjdk)/(?:include|jmods|src\.zip|lib/(?:src\.zip|ct\.sym|dt\.jar))"
)


def installed_jdk_needs(picture: Picture, gone: str | None, *, package: bool) -> Iterator[Reason]:
    """Why the JDK that the final stage installs itself cannot be a JRE. Empty: shown to be safe.

    ``gone``: a pattern for paths that go with this JDK. ``package``: it comes from the system's packages, whose JREs
    lack a few tools more and keep the place of the files they have.
    """
    yield from jdk_needs(picture, keeps_jre_directory=package)
    if picture.base.kind == "unknown" and picture.final.last("ENTRYPOINT") is None:
        yield because(
            "not-known",
            "the start command goes through the entrypoint of {}, which is not known",
            picture.base.name,
        )
    for instruction, text in picture.commands():
        yield from _installed_command_needs(text, instruction, package=package)
        if isinstance(instruction, str) or instruction.keyword in ("RUN", "HEALTHCHECK"):
            yield from _unread_programs(picture, instruction, text)
            yield from _unread_scripts(picture, instruction, text)
    for file, text in picture.start_scripts:
        yield from _installed_command_needs(text, f"the script {file.path}", package=package)
    texts: list[tuple[str | Instruction, str]] = [
        (instruction, instruction.text) for instruction in picture.final.instructions()
    ]
    texts += [(f"the script {file.path}", text) for file, text in picture.start_scripts]
    paths = _JDK_PATHS if gone is None else re.compile(f"{_JDK_PATHS.pattern}|{gone}")
    for where, text in texts:
        found = paths.search(text)
        if found is not None:
            yield because(
                "certain", "{} names {}, which goes with the JDK", where, _word_around(text, found.start())
            )


def _word_around(text: str, at: int) -> str:
    """The path of ``text`` that the offset ``at`` lies in."""
    start = max(text.rfind(char, 0, at + 1) for char in " \t\n\"'=:,;(") + 1
    return re.split(r"[\s\"':,;)]", text[start:], maxsplit=1)[0]


def _installed_command_needs(text: str, where: str | Instruction, *, package: bool) -> Iterator[Reason]:
    if shell.parse(text).broken:
        yield because("certain", "{} holds shell text that could not be read", where)
    for command in all_commands(text):
        program = command.program
        if package and program in _NOT_IN_PACKAGES:
            yield because("certain", "{} calls `{}`, which the JRE package does not have", where, program)
        elif program in _COMPILERS:
            yield because(
                "not-known", "{} compiles with `{}`, perhaps against the JDK's headers", where, program
            )
        elif program == "update-java-alternatives":
            yield because(
                "certain",
                "{} calls `update-java-alternatives`, which fails for tools that are not installed",
                where,
            )
        elif program in MANAGERS:
            tools = [word.literal for word in command.args if word.literal in _BUILD_PACKAGES]
            if tools:
                yield because("certain", "{} installs {}, which builds with the JDK", where, tools[0])


def _unread_scripts(picture: Picture, instruction: Instruction | str, text: str) -> Iterator[Reason]:
    """Scripts that a command gives to a shell and that were not read."""
    scripts = {file.path.rsplit("/", 1)[-1] for file, _ in picture.start_scripts}
    for command in all_commands(text):
        if command.program not in ("sh", "bash", "ash", "dash"):
            continue
        words = [word.text for word in command.args]
        if any(re.fullmatch(r"-[a-z]*c", word) for word in words):
            continue  # the script stands there, and `_commands` has its commands
        name = next((word for word in words if not word.startswith("-")), None)
        if name is None or name.strip("\"'").rsplit("/", 1)[-1] not in scripts:
            what = name or "what it is fed"
            how = _unread(picture, (name or "").strip("\"'"))
            yield because("unseen", "{} runs {} in a shell, which {}", instruction, what, how)


def base_needs(picture: Picture, target: Base, adaptation: Adaptation) -> Iterator[Reason]:
    """Why the final stage cannot stand on ``target`` instead of its base, its RUN lines adapted. Empty: shown to be
    safe. `lacks-package` says which package would mend it, `DOUBTS` are what could not be seen."""
    base = picture.base
    to_musl = target.libc == "musl" and base.libc != "musl"
    same_system = (
        base.os == target.os and base.os_version == target.os_version and base.family == target.family
    )
    if adaptation.why_not is not None and not same_system:
        yield adaptation.why_not
    yield from _unread_containers(picture)
    yield from _start_needs(picture, base, target)
    yield from _path_needs(picture, base, target)
    yield from _flag_needs(picture, base, target)
    lacking = lacks_archive_of_the_jdk(picture, target)
    if lacking is not None:
        yield lacking
    if not same_system:
        check = _Commands(picture, base, target, adaptation)
        for instruction, text in picture.commands():
            if instruction in picture.touches:
                continue
            of_file = instruction if isinstance(instruction, Instruction) else None
            yield from check.needs(Text(instruction, text, is_bash(picture, instruction)), of_file)
            yield from _unread_programs(picture, instruction, text)
        for each in script_texts(picture):
            yield from check.script_needs(each)
        for each in called_by_java(picture):
            yield from check.needs(each)
        for file, reader in other_scripts(picture):
            if not check.has(reader):
                yield check.lack(
                    say("the script {} runs in {}, which {} lacks", file.path, reader, target.name), reader
                )
        yield from unknown_runs(picture)
        yield from _shell_needs(picture, check)
        yield from _exec_needs(picture, check)
        yield from _system_needs(picture, base, target)
    if not same_system or (base.java_version is not None and base.java_version != target.java_version):
        yield from _branch_needs(picture, target)  # an image of another day may stand on another Alpine
    if to_musl:
        yield from _musl_needs(picture, target, adaptation)
    yield from _font_needs(picture, base, target, adaptation)
    yield from _java_8_needs(base, target, adaptation)


def _java_8_needs(base: Base, target: Base, adaptation: Adaptation) -> Iterator[Reason]:
    """On Alpine, Temurin 8 opens its elliptic curves (libsunec.so) with libgcc, which the image has not; of other
    builds nobody knows.

    Without it Java goes on, and TLS connections to hosts that want such a curve fail (reported from 8u332 to 8u492).
    """
    if target.libc != "musl" or target.java_major != 8 or (base.family, base.libc) == (target.family, "musl"):
        return
    if "libgcc" in target.has | adaptation.installed:
        return
    lacks = "lacks" if target.family == "eclipse-temurin" else "is not known to have"
    yield because(
        "lacks-package",
        "{} {} libgcc, without which Java 8 has no elliptic curves there and TLS connections fail",
        target.name,
        lacks,
        package="libgcc",
    )


def _start_needs(picture: Picture, base: Base, target: Base) -> Iterator[Reason]:
    if picture.final.last("USER") is None and (base.user or "root") != (target.user or "root"):
        yield because(
            "certain",
            "{} runs as {}, {} as {}",
            base.name,
            base.user or "root",
            target.name,
            target.user or "root",
        )
    if picture.base_script is not None and picture.base_script not in target.has:
        yield because(
            "certain",
            "{} starts the application with its {}, which {} lacks",
            base.name,
            picture.base_script,
            target.name,
        )
    if picture.final.last("ENTRYPOINT") is None:
        if base.entrypoint and base.entrypoint != target.entrypoint and not _passes_on(base):
            yield because(
                "certain",
                "the start command uses the entrypoint of {} ({})",
                base.name,
                " ".join(base.entrypoint),
            )
        elif target.entrypoint and not base.entrypoint and not _passes_on(target):
            yield because(
                "certain", "{} has its own entrypoint ({})", target.name, " ".join(target.entrypoint)
            )


def _passes_on(base: Base) -> bool:
    """Entrypoints that end in ``exec "$@"`` and do nothing unless asked to."""
    return (
        bool(base.entrypoint)
        and base.entrypoint is not None
        and base.entrypoint[0].endswith("__cacert_entrypoint.sh")
    )


def _path_needs(picture: Picture, base: Base, target: Base) -> Iterator[Reason]:
    """Paths into the old image's Java that the new one has elsewhere."""
    if base.java_home is not None and base.java_home == target.java_home:
        return
    pattern = re.compile(
        r"/usr/lib/jvm/|/usr/local/openjdk|/opt/java/openjdk|/usr/java/|/opt/jdk\b|/usr/lib/jvm\b|/usr/bin/java\b|/docker-java-home"
    )
    java = "has no Java" if target.java_home is not None else "is not known to have its Java"
    for instruction in picture.final.instructions():
        match = pattern.search(instruction.text)
        if match:
            yield because(
                "certain", "{} names {}, where {} {}", instruction, match.group(), target.name, java
            )
    mounted = ((told.where, path) for told, path in picture.running.mounts)
    for where, text in (*picture.running.said_elsewhere, *mounted):
        match = pattern.search(text)
        if match:
            yield because("certain", "{} names {}, where {} {}", where, match.group(), target.name, java)
    for file, text in picture.start_scripts:
        match = pattern.search(text)
        if match:
            yield because(
                "certain",
                "the script {} names {}, where {} {}",
                file.path,
                match.group(),
                target.name,
                java,
            )


def _flag_needs(picture: Picture, base: Base, target: Base) -> Iterator[Reason]:
    if base.vm != target.vm and base.vm is not None and target.vm is not None:
        yield because("certain", "{} runs {}, {} runs {}", base.name, base.vm, target.name, target.vm)
        return
    if "crac" in base.has and "crac" not in target.has:
        yield because("certain", "{} can make checkpoints (CRaC), {} cannot", base.name, target.name)
    if base.family == target.family:
        return
    texts: list[tuple[str | Instruction, str]] = [
        (i, i.text) for i in picture.final.instructions() if i.keyword in ("ENV", "ENTRYPOINT", "CMD")
    ]
    texts += [(f"the script {file.path}", text) for file, text in picture.start_scripts]
    for where, text in texts:
        for flag, vendor in _VENDOR_FLAGS.items():
            if flag in text:
                yield because("certain", "{} has {}, which only {} understands", where, flag, vendor)
    for option in options_of(picture, picture.final):
        for flag, vendor in _VENDOR_FLAGS.items():
            if option.text.startswith(flag):
                yield because("certain", "{} has {}, which only {} understands", option.where, flag, vendor)


@dataclass(frozen=True)
class _Commands:
    """Looks at shell text with the eyes of the new base."""

    picture: Picture
    base: Base
    target: Base
    adaptation: Adaptation

    def needs(self, source: Text, instruction: Instruction | None = None) -> Iterator[Reason]:
        """``instruction``: the one that the text is of, None for a script."""
        base, target, text, where = self.base, self.target, source.text, source.where
        script = shell.parse(text)
        if script.broken:
            yield because("certain", "{} holds shell text that could not be read", where)
            return
        had_bash = not source.bash and kind_of_sh(base) == "bash" != kind_of_sh(target)
        if had_bash and _BASHISMS.search(text):
            yield because("certain", "{} uses bash syntax, and `sh` is not bash on {}", where, target.name)
        runs = instruction is not None and instruction.keyword == "RUN"
        for each in shell.started(text, source.functions):
            command = each.command
            if each.own or (instruction is not None and self.adaptation.handles(instruction, command)):
                continue
            programs = programs_of(self.picture, each)
            if runs and command.words and not programs:
                yield because(
                    "not-known",
                    "{} runs `{}`, and which program that is only shows when it runs",
                    where,
                    command.words[0].text,
                )
            for program in programs:
                yield from self._program_needs(program, command, source, runs=runs)
        if base.os == target.os:
            return
        if re.search(
            r"localedef|locale-gen|update-locale|dpkg-reconfigure|timedatectl|localectl|update-alternatives|alternatives --",
            text,
        ):
            yield because(
                "certain",
                "{} sets up {} with a command that {} lacks",
                where,
                base.os or "its system",
                target.os or target.name,
            )
        if re.search(
            r"/etc/(apt|yum|dnf|apk|nsswitch|security|ssl|pki|sysconfig|systemd|init\.d|profile\.d)", text
        ):
            yield because("certain", "{} edits system files that {} keeps elsewhere", where, target.name)

    def _program_needs(
        self, program: str, command: shell.Command, source: Text, *, runs: bool
    ) -> Iterator[Reason]:
        base, target, where = self.base, self.target, source.where
        to_musl = target.libc == "musl" and base.libc != "musl"
        name = command.name or program
        if program == shell.ARGUMENTS:
            return
        if program in BASH_WORDS:
            if not source.bash and kind_of_sh(base) != kind_of_sh(target):
                yield because(
                    "certain",
                    "{} uses `{}`, which `sh` of {} and of {} do not take in the same way",
                    where,
                    program,
                    base.name,
                    target.name,
                )
            return
        copied = copied_program(self.picture, name)
        if copied is not None and not is_java(name):
            # on musl a file of the context is asked for its own needs
            if not is_understood(self.picture, copied) and (not to_musl or copied.origin is None):
                yield because("unseen", "{} runs {}, a program that was not read", where, copied.path)
            return
        if program in MANAGERS or program in ("dpkg", "rpm"):
            yield because(
                "certain",
                "{} calls `{}`, whose packages are made for {}",
                where,
                program,
                base.os or base.name,
            )
        elif program in ("curl", "wget", "git") and runs and to_musl:
            yield because("certain", "what {} downloads with {} may be built for glibc", where, program)
        elif program in USER_TOOLS:
            yield from self._user_needs(command, where)
        elif name.startswith("/"):
            yield from self._by_path(name, program, where)
        elif program in ("update-ca-certificates", "update-ca-trust"):
            if not (base.family == target.family == "eclipse-temurin"):
                yield because(
                    "certain",
                    "{} calls `{}`; which certificates Java trusts then is another matter on {}",
                    where,
                    program,
                    target.name,
                )
        elif not self.has(program) and not name.startswith("./"):
            yield self.lack(
                say("{} calls `{}`, which {} is not known to have", where, program, target.name), program
            )
        elif to_musl and not self._is_gnu(program):
            yield from _busybox_needs(command, where)
        if program == "ps" and command.follows == "|" and target.libc == "musl" and not self.has_gnu_ps:
            yield self.lack(say("{} takes columns from `ps`, which busybox prints otherwise", where), "ps")
        zone = program in ("ln", "cp") and any("/usr/share/zoneinfo" in word.text for word in command.args)
        missing = "tzdata" in target.lacks or ("tzdata" not in target.has and program == "cp")
        if zone and missing and "tzdata" not in self.adaptation.installed:
            yield because(
                "lacks-package",
                "{} takes a time zone file, and {} has no tzdata",
                where,
                target.name,
                package="tzdata",
            )

    def has(self, program: str) -> bool:
        target = self.target
        if program in self.adaptation.commands:
            return True
        if program in target.lacks:
            return False
        manager = self.adaptation.manager
        if manager is not None and any(program in commands_of(name, manager) for name in target.has):
            return True
        if (
            program in _BUILTINS
            or program in target.has
            or program in ("java", "keytool", "jfr", "rmiregistry", "jrunscript")
        ):
            return True
        if target.os == "distroless":
            return False
        if target.os in APT and program in (_ESSENTIAL | {"awk"} if self.base.os in APT else _ESSENTIAL):
            return True
        return program in (_BUSYBOX if target.libc == "musl" else _COREUTILS)

    @property
    def has_gnu_ps(self) -> bool:
        return "pgrep" in self.adaptation.commands

    def _is_gnu(self, program: str) -> bool:
        """Whether the new base has the program itself, not busybox's."""
        if program in self.adaptation.commands:
            return True
        return "coreutils" in self.target.has and program not in _OUTSIDE_COREUTILS

    def lack(self, reason: Sentence, program: str) -> Reason:
        manager = self.adaptation.manager
        package = package_with(program, manager) if manager in ("apk", "apt") else None
        return because("lacks-package" if package else "certain", "{}", reason, package=package)

    def _by_path(self, name: str, program: str, where: str | Instruction) -> Iterator[Reason]:
        target = self.target
        if is_java(name):
            return  # said by _path_needs where the path differs
        if program == "bash" and not self.has("bash"):
            yield self.lack(say("{} calls bash, which {} lacks", where, target.name), "bash")
        elif name.startswith(("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/")):
            if not self.has(program):
                yield self.lack(
                    say("{} calls {}, which {} is not known to have", where, name, target.name), program
                )
            elif target.libc == "musl" and self.base.libc != "musl" and name not in _ALPINE_PATHS:
                yield because(
                    "certain", "{} calls {}, which Alpine may have in another directory", where, name
                )

    def _user_needs(self, command: shell.Command, where: str | Instruction) -> Iterator[Reason]:
        program, base, target = command.program or "", self.base, self.target
        if target.libc != "musl":
            if program in ("adduser", "addgroup") and base.os in APT and target.os in APT:
                # Ubuntu images of the JRE may lack adduser, a package of its own; useradd is essential
                if "adduser" not in target.has:
                    yield because(
                        "certain", "{} calls `{}`, which {} is not known to have", where, program, target.name
                    )
            elif not self.has(program) and not (program.endswith(("add", "mod")) and target.os in APT):
                yield because(
                    "certain", "{} calls `{}`, which {} is not known to have", where, program, target.name
                )
            return
        if program not in ("adduser", "addgroup"):
            if not self.has(program):
                yield because("certain", "{} calls `{}`, which {} lacks", where, program, target.name)
            return
        if base.libc == "musl" and base.os == "alpine":
            return
        both = {
            "--system",
            "--gid",
            "--uid",
            "--ingroup",
            "--shell",
            "--home",
            "--disabled-password",
            "--gecos",
        }
        options = {word.text.partition("=")[0] for word in command.args if word.text.startswith("-")}
        unknown = sorted(options - both)
        if unknown:
            yield because(
                "certain",
                "{} gives `{}` the option {}, which means something else or nothing on Alpine",
                where,
                program,
                unknown[0],
            )
        elif not options & {"--uid" if program == "adduser" else "--gid"} and (
            "--system" in options or first_number(base) != "1000"
        ):
            yield (
                because(
                    "certain",
                    "{} calls `{}` without a number: Alpine would give another one, and files on volumes belong to numbers; add {} to keep it",
                    where,
                    program,
                    "--uid" if program == "adduser" else "--gid",
                )
            )

    def script_needs(self, source: Text) -> Iterator[Reason]:
        target, text, where = self.target, source.text, source.where
        first = text.split("\n", 1)[0]
        bash = first.startswith("#!") and "bash" in first
        if bash and not self.has("bash"):
            yield self.lack(say("{} runs in bash, which {} lacks", where, target.name), "bash")
        if "\r\n" in text[:200] and first.startswith("#!"):
            return
        yield from self.needs(source)


#: Programs that people call and that coreutils does not hold, so that busybox's are used on Alpine.
_OUTSIDE_COREUTILS = frozenset(
    (
        "awk find grep gunzip gzip nc pgrep pkill ps sed su tar time unzip wget which xargs sh hostname diff free "
        "killall less"
    ).split()
)


def _busybox_needs(command: shell.Command, where: str | Instruction) -> Iterator[Reason]:
    """Options that busybox's applet does not have."""
    program = command.program or ""
    if program not in _BUSYBOX:
        return
    known_long = (_BUSYBOX_LONG.get(program) or "").split()
    pattern = _GNU_ONLY.get(program)
    for word in command.args:
        option = word.text.partition("=")[0]
        long_one = option.startswith("--") and len(option) > 2 and option not in known_long
        if program in ("echo", "printf", "env", "sh", "xargs", "timeout", "nohup", "nice", "time"):
            long_one = False  # words of the command that these start
        if long_one or (pattern is not None and pattern.match(option)):
            yield because(
                "certain", "{} gives `{}` the option {}, which busybox does not have", where, program, option
            )
            return


def _is_made_here(picture: Picture, name: str) -> bool:
    """Whether a program of the PATH is one that the file itself puts there, and that was not read."""
    copied = copied_program(picture, name)
    if copied is not None:
        return not is_understood(picture, copied)
    if name in _BUILTINS | _BUSYBOX | _ESSENTIAL | _INITS | JDK_TOOLS or not re.fullmatch(r"[\w.+-]+", name):
        return False
    pattern = re.compile(rf"/bin/{re.escape(name)}(?![\w.-])")
    return any(
        instruction.keyword in ("RUN", "COPY", "ADD") and pattern.search(instruction.text)
        for instruction in picture.final.instructions()
    )


#: They start what is behind them, and nothing else.
_INITS = frozenset({"dumb-init", "gosu", "su-exec", "tini", "tini-static"})


def _unread_programs(picture: Picture, instruction: Instruction | str, text: str) -> Iterator[Reason]:
    """Programs called by path that are neither the system's nor scripts that were read."""
    scripts = {file.path.rsplit("/", 1)[-1] for file, _ in picture.start_scripts}
    for each in shell.started(text):
        name, program = each.command.name, each.command.program
        if name is None or program is None or is_java(name) or program == "keytool":
            continue
        if "/" not in name:
            if not each.own and _is_made_here(picture, name):
                yield because("unseen", "{} runs {}, which {}", instruction, name, _unread(picture, name))
            continue
        copied = copied_program(picture, name)
        if (
            program not in scripts
            and program != picture.base_script
            and program not in _INITS
            and not name.startswith(("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/"))
            and (copied is None or not is_understood(picture, copied))
        ):
            yield because("unseen", "{} runs {}, which {}", instruction, name, _unread(picture, name))


def _shell_needs(picture: Picture, check: _Commands) -> Iterator[Reason]:
    for instruction in picture.final.instructions():
        if instruction.keyword == "SHELL" and instruction.json:
            program = instruction.json[0].rsplit("/", 1)[-1]
            if program not in ("sh", "ash") and not check.has(program):
                yield because(
                    "certain",
                    "{} runs commands in {}, which {} lacks",
                    instruction,
                    program,
                    check.target.name,
                )


#: Users and groups that Debian and Ubuntu have under one number.
_DEBIAN_USERS = frozenset(
    (
        "root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc nobody nogroup adm tty disk "
        "users staff audio video"
    ).split()
)


def _has_user_ubuntu(base: Base) -> bool:
    """Ubuntu's images have a user with the number 1000 from 23.04 on; tags without a release mean one of those."""
    return base.os == "ubuntu" and (base.os_version is None or base.os_version >= "23")


def _system_needs(picture: Picture, base: Base, target: Base) -> Iterator[Reason]:
    """Users of the old base by name, its package sources, its directories, the name of its release."""
    text = picture.document.text
    releases = {**DEBIAN, **UBUNTU}
    last = picture.final.last("USER")
    number = (picture.expand(last, last.text) or "").partition(":")[0] if last is not None else ""
    told = [each.user for each in picture.running.containers if each.user is not None]
    as_1000 = [last or ""] if number == "1000" else []
    as_1000 += [each.where for each in told if each.words[0].partition(":")[0] == "1000"]
    if (
        as_1000
        and _has_user_ubuntu(base)
        and not _has_user_ubuntu(target)
        and not re.search(r"(?:useradd|adduser)\b[^\n]*\b1000\b", text)
    ):
        yield because(
            "certain",
            "{} runs as 1000, who is ubuntu with a home directory on {} and nobody on {}, where Java's user.home is not a directory; "
            "make the user in a RUN",
            as_1000[0],
            base.name,
            target.name,
        )
    users: list[tuple[str | Instruction, str]] = [
        (container.user.where, container.user.words[0])
        for container in picture.running.containers
        if container.user
    ]
    for instruction in picture.final.instructions():
        owner = instruction.flag("chown")
        users += [(instruction, instruction.text)] if instruction.keyword == "USER" else []
        users += [(instruction, owner.value or "")] if owner is not None else []
    for where, named_ in users:
        for name in (part.strip() for part in named_.split(":")):
            made = re.search(rf"(?:user|group)(?:add|mod)?\b[^\n]*(?<![\w-]){re.escape(name)}(?![\w-])", text)
            if not name or name.isdigit() or "$" in name or name == "root" or made:
                continue
            if base.os in APT and target.os in APT and name in _DEBIAN_USERS:
                continue
            yield because(
                "certain",
                "{} names {}, a user or group of {} that {} is not known to have",
                where,
                name,
                base.name,
                target.name,
            )
    for instruction in picture.final.instructions():
        if instruction.keyword in ("COPY", "ADD") and re.search(
            r"/etc/(?:apt|yum|dnf|apk)\b", instruction.text
        ):
            yield because(
                "certain", "{} brings package sources made for {}", instruction, base.os or base.name
            )
        if instruction.keyword == "RUN" and base.os_version != target.os_version:
            named = re.search(rf"(?<![\w-])({'|'.join(releases)})(?!\w)", instruction.text)
            if named is not None and re.search(r"deb |sources|apt", instruction.text):
                yield because(
                    "certain",
                    "{} names the release {}, and {} is another one",
                    instruction,
                    named.group(),
                    target.name,
                )
        if target.libc == "musl" and instruction.keyword in (
            "RUN",
            "ENV",
            "COPY",
            "ADD",
            "CMD",
            "ENTRYPOINT",
        ):
            named = re.search(r"(?:x86_64|aarch64)-linux-gnu|/lib64\b", instruction.text)
            if named is not None and base.libc != "musl":
                yield because(
                    "certain", "{} names {}, a directory of glibc systems", instruction, named.group()
                )


#: A branch of Alpine's repositories: ``https://dl-cdn.alpinelinux.org/alpine/v3.12/main``.
_ALPINE_BRANCH = regex(r"(?<![\w.])v(3\.\d+)(?![\w.])|(?<=/)edge/(?:main|community|testing)")
_APK_SOURCES = regex(r"/etc/apk/|\bapk\b")


def _branch_needs(picture: Picture, target: Base) -> Iterator[Reason]:
    """Packages of one Alpine release do not run on another: a branch that is written down is a pin."""
    if target.os != "alpine":
        return
    for instruction in picture.final.instructions():
        if instruction.keyword not in ("RUN", "COPY", "ADD") or not _APK_SOURCES.search(instruction.text):
            continue
        for branch in _ALPINE_BRANCH.finditer(instruction.text):
            if branch[1] is None or branch[1] != target.os_version:
                yield because(
                    "certain",
                    "{} takes packages of Alpine {}, and {} is not known to be that release",
                    instruction,
                    branch[1] or "edge",
                    target.name,
                )
                break


def _exec_needs(picture: Picture, check: _Commands) -> Iterator[Reason]:
    """The shell that a command names itself: `["bash", "-c", ...]`, `bash <<EOF`."""
    for instruction in picture.final.instructions():
        words = instruction.json
        if instruction.keyword == "HEALTHCHECK" and instruction is picture.final.last("HEALTHCHECK"):
            first = shell.parse(command_text(instruction)).commands[:1]
            words = (first[0].name or "",) if first else ()
        elif instruction.heredocs:
            reader = picture.script_of(instruction).shell if instruction.keyword == "RUN" else ()
            words = reader[:1] if reader != picture.settings[instruction.number].shell else ()
        elif instruction.keyword == "RUN" or instruction in picture.start_commands:
            words = words[:1] if words else ()
        else:
            continue
        yield from _shell_of(instruction, words, check)
    for process in picture.running.processes:
        if isinstance(process.where, str):
            yield from _shell_of(process.where, (process.words or SH)[:1], check)


def _shell_of(where: str | Instruction, words: Sequence[str], check: _Commands) -> Iterator[Reason]:
    for word in words:
        program = word.rsplit("/", 1)[-1]
        if program in _SHELLS and not check.has(program):
            yield check.lack(say("{} runs {}, which {} lacks", where, program, check.target.name), program)


_SHELLS = frozenset({"bash", "dash", "ksh", "zsh", "csh", "sh"})


def _sets_c_utf8(picture: Picture, env: Instruction) -> bool:
    """In the one spelling to which musl gives no language."""
    return any(
        each.name == "LC_ALL" and picture.expand(env, each.value or "") == "C.UTF-8"
        for each in assignments(env)
    )


def _told_variables(picture: Picture) -> Iterator[Reason]:
    """What variables that other files give to containers mean on musl."""
    for container in picture.running.containers:
        for each in container.environment:
            if each.name in ("LD_PRELOAD", "LD_LIBRARY_PATH"):
                yield because("certain", "{} loads native libraries ({})", each.where, each.name)
            elif each.name in ("LANG", "LC_ALL", "LC_CTYPE") and _OTHER_CHARSET.search(each.value or ""):
                yield because(
                    "certain",
                    "{} sets a locale that is not UTF-8; musl turns every locale into UTF-8",
                    each.where,
                )
            elif each.name == "LC_ALL" and each.value == "C.UTF-8" and picture.base.libc != "musl":
                yield because(
                    "certain",
                    "{} sets LC_ALL=C.UTF-8, which is the language en without a country to Java on glibc, and en_US on musl; "
                    "LC_ALL=C.utf8 is the same on both",
                    each.where,
                )


def _musl_needs(picture: Picture, target: Base, adaptation: Adaptation) -> Iterator[Reason]:
    """What is built for glibc, or may be."""
    for instruction in picture.final.instructions():
        if instruction.keyword == "ENV" and re.search(r"LD_PRELOAD|LD_LIBRARY_PATH", instruction.text):
            yield because("certain", "{} loads native libraries (LD_PRELOAD or LD_LIBRARY_PATH)", instruction)
        variable = _LOCALE_VARIABLE.search(instruction.text) if instruction.keyword == "ENV" else None
        if variable and _OTHER_CHARSET.search(instruction.text, variable.end()):
            yield because(
                "certain",
                "{} sets a locale that is not UTF-8; musl turns every locale into UTF-8",
                instruction,
            )
        if (
            instruction.keyword == "ENV"
            and picture.base.libc != "musl"
            and _sets_c_utf8(picture, instruction)
        ):
            yield because(
                "certain",
                "{} sets LC_ALL=C.UTF-8, which is the language en without a country to Java on glibc, and en_US on musl; "
                "LC_ALL=C.utf8 is the same on both",
                instruction,
            )
    yield from _told_variables(picture)
    there = {"c.utf-8", "c.utf8", "c", "posix", (picture.base.env.get("LANG") or "c").lower()}
    for environment in (picture.environment, *(process.environment for process in picture.running.starts)):
        asked = environment.get("LC_ALL") or environment.get("LANG")
        if asked and asked.lower() not in there:
            yield because(
                "certain",
                "the locale {} is not in {}, so it has no effect there; on Alpine it would have one",
                asked,
                picture.base.name,
            )
            break
    options = picture.options
    if options.runtime != "alpine":
        if not picture.artifacts and not picture.application_jars:
            yield because(
                "not-known", "which application runs here, and whether it needs glibc, cannot be seen"
            )
        for artifact in picture.unread_artifacts:
            yield because(
                "unseen",
                "{} is not available, so its native libraries are not known",
                " ".join(artifact.sources),
            )
        for place in code_places(picture):
            if not place.known:
                yield because(
                    "unseen",
                    "{} takes code from {}, which is not available, so its native libraries are not known",
                    place.where,
                    place.written,
                )
    yield from _unread_agents(picture)
    for jar in picture.application_jars:
        yield from _native_needs(picture, jar, target, adaptation)
    copied = {artifact.instruction.number for artifact in picture.artifacts}
    copied |= {instruction.number for instruction in brings_archives_alone(picture)}
    for layer in picture.layers:
        instruction = layer.instruction
        if instruction.keyword in ("COPY", "ADD") and not layer.complete and instruction.number not in copied:
            what = instruction.text if len(instruction.text) < 60 else instruction.text[:57] + "..."
            yield because("unseen", "{} brings files that are not available ({})", instruction, what)
        for file in layer.files:
            if file.origin is not None and not _TEXT.search(file.path):
                yield from _file_needs(file.path, file.origin, instruction, target, adaptation)
    for option in {option.text: option for option in running_options(picture)}.values():
        text = option.text
        where = "the start command" if option.where in picture.start_commands else option.where
        if text.startswith("-agentpath") or (
            text.startswith("-agentlib:") and not text.startswith("-agentlib:jdwp")
        ):
            yield because("certain", "{} loads a native agent ({})", where, text)
        if text.startswith("-javaagent:"):
            agent = _agent(picture, text)
            if agent is not None:
                yield from _native_needs(picture, agent, target, adaptation)


def _agent(picture: Picture, option: str) -> Jar | None:
    """The Java agent's jar, when it is among the copied files."""
    path = picture.at_start(option.partition(":")[2].partition("=")[0])
    if picture.running.mount_over(path) is not None:
        return None
    file = picture.final.content.files.get(path)
    return picture.jars(file.origin) if file is not None and file.origin is not None else None


def _native_needs(picture: Picture, jar: Jar, target: Base, adaptation: Adaptation) -> Iterator[Reason]:
    name = jar.path.rsplit("/", 1)[-1]
    if not jar.natives_complete:
        yield because("not-known", "{} could not be searched for native libraries completely", name)
    if jar.kind in ("thin", "quarkus-fast") and len(picture.application_jars) < 2:
        yield because("unseen", "the libraries of {} are beside it and are not available", name)
    architectures = {platform.split("/")[1] for platform in picture.platforms}
    for native in jar.natives:
        if native.os != "linux" or native.arch not in architectures:
            continue
        if native.musl_twin is not None:  # musl loads that one; what it needs counts
            continue
        what = native.path.rsplit("/", 1)[-1]
        where = native.library or native.path.split("!")[0].rsplit("/", 1)[-1]
        subject = say("{} carries the native library {} for {}/{}", where, what, native.os, native.arch)
        yield from _loading_needs(native, subject, target, adaptation)


def _loading_needs(
    native: NativeLibrary, subject: Sentence, target: Base, adaptation: Adaptation
) -> Iterator[Reason]:
    """What musl's loader misses for a library or program, package by package where packages mend it."""
    if native.musl_verdict not in ("loads", "needs"):
        yield because("certain", "{}: {}", subject, native.musl_reason or "it is built for glibc")
    elif native.undefined:
        yield because("certain", "{}: it calls {}, which musl does not have", subject, native.undefined[0])
    elif native.musl_verdict == "needs":
        there = target.has | adaptation.installed
        absent = [package for package in native.musl_packages if package not in there]
        if "gcompat" in absent:
            yield because("certain", "{}: {}", subject, native.musl_reason or "it is built for glibc")
            return
        for package in absent:
            packages = f"package{'s' if len(absent) > 1 else ''} {', '.join(absent)}"
            yield because(
                "lacks-package",
                "{}: it needs the {}, which {} lacks",
                subject,
                packages,
                target.name,
                package=package,
            )


def _file_needs(
    shown: str, path: Path, copy: Instruction, target: Base, adaptation: Adaptation
) -> Iterator[Reason]:
    """A file that the final stage copies and that may be a program or library: its ELF headers decide."""
    from imgopt.java.natives import examine

    try:
        with open_file(path) as file:
            head = file.read(4)
            if head not in (b"\x7fELF", b"MZ\x90\x00", b"\xcf\xfa\xed\xfe"):
                return

            def read(at: int, size: int) -> bytes:
                file.seek(at)
                return file.read(size)

            native = examine(read, shown, None, path.stat().st_size, ())
    except OSError:
        yield because("not-known", "{} could not be read ({})", shown, copy)
        return
    subject = say("{} is a native program or library ({})", shown, copy)
    if native is None:
        yield because("certain", "{}", subject)
    elif native.os == "linux":
        if native.interpreter is None and not native.needed:
            return  # static: it brings its own C library
        yield from _loading_needs(native, subject, target, adaptation)


_FONT_LIBRARIES = regex(
    r"kaptcha|easy-captcha|patchca|simplecaptcha|hutool-captcha|hutool-all|captcha|poi-ooxml|easyexcel|fastexcel|jxls|itext|openpdf|"
    r"flying-saucer|pdfbox|jasperreports|jfreechart|batik|thumbnailator|imgscalr|aspose"
)


def _font_needs(picture: Picture, base: Base, target: Base, adaptation: Adaptation) -> Iterator[Reason]:
    drawing = _drawing(picture)
    if "awt" in target.lacks and "awt" not in base.lacks:
        if drawing is not None:
            yield because(
                "certain",
                "{}, and {} is headless: it has none of the JVM's AWT libraries",
                drawing,
                target.name,
            )
        elif not picture.application_jars:
            yield because(
                "not-known",
                "{} is headless, and whether the application draws with AWT cannot be seen",
                target.name,
            )
    lost = "fonts" in base.has or target.lacks & {"fonts", "fontconfig"}
    if drawing is None or "fonts" in target.has or "fonts" in base.lacks or not lost:
        return
    for package in ("fontconfig", "font-dejavu" if adaptation.manager == "apk" else "fonts-dejavu-core"):
        if package not in adaptation.installed:
            yield because(
                "lacks-package",
                "{}, and {} is not known to have fonts",
                drawing,
                target.name,
                package=package,
            )


def _drawing(picture: Picture) -> str | None:
    """What in the application draws text or pictures, as the beginning of a sentence."""
    for library in libraries(picture):
        if _FONT_LIBRARIES.search(library.file):
            return f"{library.file} draws text"
    if any(name.startswith(("java/awt", "javax/imageio")) for name in own_references(picture)):
        return "the application draws with AWT"
    return None
