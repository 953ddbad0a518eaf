"""What stands on the command line, Dockerfiles and CI files: found, examined, one report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.errors import ImgoptError, InputError
from imgopt.light.records import replace
from imgopt.options import NOBODY, BuiltFor, Options
from imgopt.picture import Jars
from imgopt.rule import Rule
from imgopt.suggest.dockerfile import read_dockerfile, report_file
from imgopt.suggest.result import FileReport, Report

if TYPE_CHECKING:
    from imgopt.pipelines.beside import Repositories
    from imgopt.pipelines.platforms import Commands
    from imgopt.pipelines.rule import PipelineRule
    from imgopt.weigh.layers import Weigher


def report_on(
    paths: Sequence[str],
    options: Options,
    stdin: bytes | None = None,
    *,
    rules: Sequence[Rule],
    pipeline_rules: Sequence[PipelineRule] | Callable[[], Sequence[PipelineRule]] = (),
    as_found: bool = False,
) -> Report:
    """Looks at every Dockerfile that the paths name (files, directories, ``-``), and with `pipeline_rules` at CI
    files too: those that are named, and those of a directory that build or push an image. ``as_found``: files that are named
    are looked at like those of a directory, and what is neither is passed over. The rules for CI files may be a function, which is
    asked when there is one.

    An input that cannot be used becomes an error of the report; the others are still processed.
    """
    from imgopt.bases import catalogue_date
    from imgopt.discover import discover
    from imgopt.pipelines.beside import Repositories
    from imgopt.weigh.layers import Weigher

    reports: list[FileReport] = []
    errors: list[ImgoptError] = []
    jars = Jars()
    weigher = Weigher(jars, options.engine)
    names: list[str] = []
    pipelines: dict[str, bool] = {}  # whether it is named itself
    empty: list[tuple[str, tuple[Path, ...]]] = []
    for path in paths:
        if path == "-":
            names.append("-")
            continue
        try:
            found = discover([Path(path)], pipelines=bool(pipeline_rules))
            named = found == (Path(path),) and not Path(path).is_dir() and not as_found
            dockerfiles, ci = _divided(found, named=named)
            names += map(str, dockerfiles)
            for each in ci:
                pipelines[str(each)] = named or pipelines.get(str(each), False)
            if not named and not dockerfiles and not as_found:
                empty.append((path, ci))
        except ImgoptError as error:
            errors.append(error)
    repositories = Repositories([Path(name) for name, named in pipelines.items() if named])
    commands = _Commands(repositories)
    for name in dict.fromkeys([*names, *pipelines]):
        if options.progress is not None:
            options.progress(name)
        try:
            data = (stdin or b"") if name == "-" else read_dockerfile(Path(name))
            if name not in pipelines:
                file = Path("Dockerfile" if name == "-" else name)
                asked = replace(options, built_for=commands.built_for(file, options.context))
                reports.append(report_file(name, data, asked, rules, jars, weigher))
                continue
            report = _pipeline(
                name, data, options, rules, pipeline_rules, jars, weigher, commands, pipelines[name]
            )
            reports += [report] if report is not None else []
        except ImgoptError as error:
            if pipelines.get(name, True):
                errors.append(error)
        except Exception as bug:
            if len(names) + len(pipelines) == 1:
                raise
            # the other files still get their answer; the exit code says that this one met a bug
            failure = ImgoptError(
                f"a bug in imgopt: {type(bug).__name__}: {bug}",
                "run it alone with --debug and report it",
                path=name,
            )
            failure.__cause__ = bug
            errors.append(failure)
    seen = {file.path for file in reports} | {error.path for error in errors}
    for path, ci in empty:
        if not any(str(each) in seen for each in ci):
            hint = "name the file, or another directory"
            errors.append(InputError("no Dockerfile in this directory", hint, path=path))
    return Report(tuple(reports), tuple(errors), options.bandwidth_source, catalogue_date())


class _Commands:
    """What reads the files that lie beside Dockerfiles, loaded where there are any."""

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories

    @cached_property
    def read(self) -> Commands:
        from imgopt.pipelines.platforms import Commands

        return Commands(self._repositories)

    def built_for(self, dockerfile: Path, context: Path | None) -> BuiltFor:
        return (
            self.read.built_for(dockerfile, context)
            if self._repositories.has(dockerfile, context)
            else NOBODY
        )


def _divided(found: Sequence[Path], *, named: bool) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Dockerfiles, and what is taken for one, and CI files. What neither a name nor its content tells is a Dockerfile
    where it is `named`. InputError for a named CI file of a system that is not read."""
    from imgopt.discover import is_dockerfile_name
    from imgopt.pipelines.kinds import kind_of

    dockerfiles: list[Path] = []
    ci: list[Path] = []
    for path in found:
        if is_dockerfile_name(path.name):
            dockerfiles.append(path)
            continue
        try:
            kind = kind_of(path, read_dockerfile(path))
        except ImgoptError:
            if named:
                raise
            continue  # of a directory: it cannot be read, or not as a file
        if kind is None:
            dockerfiles += [path] if named else []
        elif kind.system is not None:
            ci += [path] if named or kind.sure else []
        elif named and kind.unread is not None:
            what = f"is a file of {kind.unread}, which is not read"
            hint = "name its Dockerfiles, or the scripts that it calls"
            raise InputError(what, hint, path=str(path))
        elif named:
            what = f"is {kind.other}, neither a Dockerfile nor a CI file that is read"
            raise InputError(
                what, "name the Dockerfiles, or the CI file that uses it", path=str(path), line=1
            )
    return tuple(dockerfiles), tuple(ci)


def _pipeline(
    name: str,
    data: bytes,
    options: Options,
    rules: Sequence[Rule],
    pipeline_rules: Sequence[PipelineRule] | Callable[[], Sequence[PipelineRule]],
    jars: Jars,
    weigher: Weigher,
    commands: _Commands,
    named: bool,
) -> FileReport | None:
    if not pipeline_rules:
        raise InputError(
            "is a CI file, which imgopt does not rewrite", "imgopt suggest says what to change", path=name
        )
    from imgopt.pipelines.kinds import kind_of
    from imgopt.pipelines.report import report_pipeline

    kind = kind_of(Path(name), data)
    system = kind.system if kind is not None else None
    if system is None:
        raise InputError("changed while it was looked at", "ask again", path=name)
    asked = pipeline_rules() if callable(pipeline_rules) else pipeline_rules
    return report_pipeline(
        Path(name), data, system, options, asked, rules, jars, weigher, commands.read, named=named
    )
