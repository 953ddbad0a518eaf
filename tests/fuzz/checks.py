"""What must hold for any bytes. Each check raises when it does not; imgopt's own errors are answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from imgopt import shell
from imgopt.dockerfile import Instruction, assignments, expand, parse, scopes, variables_used
from imgopt.dockerfile.faults import check_stages
from imgopt.errors import DockerfileError, JarError
from imgopt.java import classfile, natives, spring_boot
from imgopt.java.command import calls_in_argv, calls_in_script
from imgopt.java.jar import OpenJar, companions, library_name, read_jar, references_of_library
from imgopt.picture.scripts import SH, command_text, script_of

_MAX_ENTRY_BYTES = 1 << 20


def check_dockerfile(data: bytes) -> None:
    """A Dockerfile is read and written back byte by byte, or refused; all that is made of its texts is safe."""
    try:
        document = parse(data)
    except DockerfileError as error:
        assert str(error).isprintable(), str(error)
        return
    assert document.render() == data
    with suppress(DockerfileError):
        assert parse(data, strict_utf8=True).text == data.decode()  # raises for what is no UTF-8
    with suppress(DockerfileError):
        check_stages(document)
    seen = scopes(document, {})
    for instruction, scope in zip(document.instructions, seen, strict=True):
        for each in (instruction, instruction.trigger):
            if each is not None:
                _check_instruction(each, scope, document.text, document.escape)


def _check_instruction(instruction: Instruction, scope: object, text: str, escape: str) -> None:
    assert isinstance(scope, dict) or hasattr(scope, "hides")
    spans = [instruction.span, instruction.keyword_span, instruction.text_span]
    spans += [word.span for word in instruction.words]
    spans += [flag.span for flag in instruction.flags]
    assert all(0 <= span.start <= span.end <= len(text) for span in spans)
    for word in instruction.words:
        expand(word.text, scope, escape)  # type: ignore[arg-type]
        variables_used(word.text, escape)
    assignments(instruction)
    for flag in instruction.flags:
        expand(flag.value or "", scope, escape)  # type: ignore[arg-type]
    for script in _scripts(instruction):
        _check_script(script, scope)
    if instruction.json is not None:
        calls_in_argv(instruction.json, scope)  # type: ignore[arg-type]


def _scripts(instruction: Instruction) -> Iterator[str]:
    if instruction.keyword == "RUN":
        for reader in (SH, ("bash", "-o", "pipefail", "-ec"), ("pwsh", "-Command")):
            found = script_of(instruction, reader)
            if found.place is not None:
                found.place(0, len(found.text))
            yield found.text
    elif instruction.keyword in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
        yield command_text(instruction)
    yield from (heredoc.body for heredoc in instruction.heredocs)


def _check_script(text: str, scope: object) -> None:
    script = shell.parse(text)
    assert not (script.broken and script.nodes)
    assert script.plain in (True, False)
    for command in script.commands:
        assert 0 <= command.start <= command.end <= len(text)
        assert command.program is None or "/" not in command.program
        for word in (*command.assignments, *command.words, *(target for _, target in command.redirects)):
            assert text[word.start : word.end] == word.text
            assert word.literal is None or isinstance(word.literal, str)
            word.value(scope)  # type: ignore[arg-type]
    calls_in_script(text, scope)  # type: ignore[arg-type]


def check_jar(data: bytes, path: Path) -> None:
    """A jar is read, or refused with a JarError; ``path`` is where the bytes may be written."""
    _check_parts(data)
    path.write_bytes(data)
    try:
        jar = read_jar(path)
    except JarError as error:
        assert str(error).isprintable(), str(error)
        return
    assert all(problem.isprintable() for problem in jar.problems), jar.problems
    layers = spring_boot.layered(jar)
    files = {entry.name for entry in jar.entries if not entry.is_directory}
    assert sorted(entry.name for _, entries in layers for entry in entries) == sorted(files)
    spring_boot.extraction(jar)
    spring_boot.exploded_order(jar)
    spring_boot.keeps_library_order(jar)
    spring_boot.java_needed(jar)
    companions(jar)
    with OpenJar(jar) as opened:
        for entry in jar.entries[:20]:
            with suppress(JarError):
                opened.data(entry, _MAX_ENTRY_BYTES)
            with suppress(JarError):
                for chunk in islice(opened.chunks(entry), 4):
                    assert len(chunk) <= 1 << 20
            with suppress(JarError):
                for chunk in islice(opened.raw(entry), 4):
                    assert len(chunk) <= 1 << 20
    for library in jar.libraries[:3]:
        with suppress(JarError):
            references_of_library(jar, library)


def _check_parts(data: bytes) -> None:
    """The bytes as what lies in a jar: a native library, a class, an index, a file name."""

    def read(offset: int, size: int) -> bytes:
        return data[offset : offset + size] if offset >= 0 and size > 0 else b""

    native = natives.examine(read, "x.so", None, len(data), ("x.so",))
    if native is not None:
        natives.musl_twins([native])
    classfile.class_level(data)
    classfile.references(data)
    text = data[:65536].decode("utf-8", "replace")
    with suppress(ValueError):
        spring_boot.parse_layers_index(text)
    with suppress(ValueError):
        spring_boot.parse_classpath_index(text)
    library_name(text[:300])
    spring_boot.version_tuple(text[:100])
