"""What stands on the command line, Dockerfiles and CI files: found, examined, one report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.errors import ImgoptError, InputError
from imgopt.picture import Jars
from imgopt.rule import Rule
from imgopt.suggest.dockerfile import read_dockerfile, report_file
from imgopt.suggest.result import FileReport, Report

if TYPE_CHECKING:
    from imgopt.options import Options
    from imgopt.pipelines.platforms import Commands
    from imgopt.pipelines.rule import PipelineRule
    from imgopt.weigh.layers import Weigher


def report_on(
    paths: Sequence[str],
    options: Options,
    stdin: bytes | None = None,
    *,
    rules: Sequence[Rule],
    pipeline_rules: Sequence[PipelineRule] = (),
) -> Report:
    """Looks at every Dockerfile that the paths name (files, directories, ``-``), and with `pipeline_rules` at CI
    files too: those that are named, and those of a directory that build or push an image.

    An input that cannot be used becomes an error of the report; the others are still processed.
    """
    from imgopt.bases import catalogue_date
    from imgopt.discover import discover
    from imgopt.pipelines.platforms import Commands
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
            named = found == (Path(path),) and not Path(path).is_dir()
            ci = tuple(each for each in found if _is_pipeline(each, named=named))
            names += [str(each) for each in found if each not in ci]
            for each in ci:
                pipelines[str(each)] = named or pipelines.get(str(each), False)
            if not named and len(ci) == len(found):
                empty.append((path, ci))
        except ImgoptError as error:
            errors.append(error)
    commands = Commands([Path(name) for name, named in pipelines.items() if named])
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


def _is_pipeline(path: Path, *, named: bool) -> bool:
    from imgopt.discover import is_dockerfile_name
    from imgopt.pipelines.names import system_of, system_of_given

    if is_dockerfile_name(path.name):
        return False
    if not named or path.suffix.lower() not in (".yml", ".yaml", ".groovy"):
        return system_of(path) is not None
    return system_of_given(path, read_dockerfile(path)) is not None


def _pipeline(
    name: str,
    data: bytes,
    options: Options,
    rules: Sequence[Rule],
    pipeline_rules: Sequence[PipelineRule],
    jars: Jars,
    weigher: Weigher,
    commands: Commands,
    named: bool,
) -> FileReport | None:
    if not pipeline_rules:
        raise InputError(
            "is a CI file, which imgopt does not rewrite", "imgopt suggest says what to change", path=name
        )
    from imgopt.pipelines.names import system_of_given
    from imgopt.pipelines.report import report_pipeline

    system = system_of_given(Path(name), data)
    assert system is not None
    return report_pipeline(
        Path(name), data, system, options, pipeline_rules, rules, jars, weigher, commands, named=named
    )
