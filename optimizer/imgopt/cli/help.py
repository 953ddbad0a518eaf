"""``--help``: as wide as the terminal, options in groups, examples, and what each exit code means."""

from __future__ import annotations

import shutil
from textwrap import fill
from typing import Any

#: Of each command what it is typed for. A command that is not here has none.
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "imgopt": (
        ("imgopt suggest", "what the Dockerfiles and CI files below this directory waste"),
        ("imgopt rewrite --diff", "what would be changed"),
        ("imgopt gate image.tar --max-size 200MB", "fail when an image is too large"),
    ),
    "suggest": (
        ("imgopt suggest", "every Dockerfile and CI file below this directory"),
        (
            "imgopt suggest Jenkinsfile --bandwidth 8Mbit/s",
            "what a pipeline pushes, and how long that takes here",
        ),
        ("imgopt suggest --format markdown --output-file comment.md", "for a pull-request comment"),
        ("imgopt suggest --fail-on high .", "for a CI job"),
    ),
    "rewrite": (
        ("imgopt rewrite --diff", "as a patch"),
        ("imgopt rewrite --in-place services/orders/Dockerfile", "in the file"),
        ("imgopt rewrite --check .", "in CI: fail when a Dockerfile would change"),
        ("imgopt rewrite --select jdk-runtime,package-cache --diff", "two kinds of waste alone"),
    ),
    "compare": (
        ("imgopt compare", "build both, start both, compare what they answer"),
        ("imgopt compare --next-release", "and measure what a release sends"),
        ("imgopt compare --engine buildkit --smoke /api/version", "with BuildKit, asking a path of your own"),
    ),
    "gate": (
        (
            "imgopt gate image.tar --max-size 200MB --forbid jdk,root-user",
            "an image of docker save, kaniko or buildx",
        ),
        (
            "imgopt gate --predict --max-next-push '2 min at 0.5MB/s' .",
            "what Dockerfiles would make, before any build",
        ),
        ("imgopt gate orders=image.tar --format junit --output-file gate.xml", "for Jenkins"),
    ),
    "inspect": (
        ("imgopt inspect image.tar", "its layers, and what each holds"),
        ("imgopt inspect docker:shop/api:7 --tree", "an image of the daemon, with its files"),
        ("imgopt inspect image.tar --format html --output-file image.html", "one page with a treemap"),
    ),
    "fleet": (
        ("imgopt fleet", "every module below this directory: what they push together"),
        ("imgopt fleet --since origin/main", "the images that a change makes anew, a line each"),
        ("imgopt fleet --format json services", "for a program"),
        ("imgopt fleet plan --help", "and write, compare, gate, push: what is done for all modules at once"),
    ),
    "fleet plan": (("imgopt fleet plan", "choose the shared layers and keep them in imgopt-fleet.toml"),),
    "fleet write": (
        ("imgopt fleet write", "as a patch: layers.xml, the pom, all Dockerfiles"),
        ("imgopt fleet write --in-place", "in the files"),
    ),
    "fleet compare": (
        ("imgopt fleet compare", "every module's image and its rewrite, built and started"),
        (
            "imgopt fleet compare --since origin/main --next-release",
            "of what a change makes anew, and the release after it",
        ),
    ),
    "fleet gate": (
        ("imgopt fleet gate --max-first-push '20 min at 0.5MB/s'", "of all modules together"),
        ("imgopt fleet gate --format junit --output-file gate.xml", "budgets of imgopt.toml, for Jenkins"),
    ),
    "fleet push": (
        ("imgopt fleet push --to registry.corp/shop --tag 8", "all images that were built with these names"),
        ("imgopt fleet push --to registry.corp/shop --tag 8 --from images", "archives images/MODULE.tar"),
    ),
    "push": (
        ("imgopt push image.tar registry.corp/shop/api:8", "what the registry lacks"),
        (
            "imgopt push shop/api:8 registry.corp/shop/api:8 --mount-from base/jre",
            "with layers of another repository",
        ),
        ("imgopt push --all push.txt", "several images in one call"),
    ),
    "bandwidth": (
        ("imgopt bandwidth registry.corp/shop/api", "the rate of an upload, and whether layers are mounted"),
    ),
    "jar": (("imgopt jar target/app.jar", "layers, libraries, native code and the libc it needs"),),
    "rules": (("imgopt rules --format markdown", "as a table"),),
    "explain": (("imgopt explain fat-jar-layer", "why it costs, what the fix does, when it is safe"),),
    "completion": (
        ("imgopt completion bash > ~/.local/share/bash-completion/completions/imgopt", "bash"),
        ("imgopt completion zsh > ~/.zfunc/_imgopt", "zsh, with ~/.zfunc in fpath"),
        ("imgopt completion fish > ~/.config/fish/completions/imgopt.fish", "fish"),
    ),
}

#: Options by what they are about, whichever command has them. One that is not here stands among the others.
GROUPS = {
    "Budgets": (
        *(
            "--max-size",
            "--max-unpacked",
            "--max-layer",
            "--max-layers",
            "--max-first-push",
            "--max-next-push",
        ),
        *("--max-bump", "--max-waste", "--min-efficiency", "--forbid", "--max-growth"),
    ),
    "Baseline": ("--baseline", "--update-baseline", "--accept", "--reason"),
    "What is written": ("--diff", "--in-place", "--output", "--check"),
    "What is looked at": (
        *(
            "--predict",
            "--context",
            "--root",
            "--as-found",
            "--build-arg",
            "--target",
            "--platform",
            "--spring-boot",
        ),
        *("--jar-size", "--config", "--tree", "--under", "--depth", "--contents", "--all", "--since"),
    ),
    "Rules and fixes": ("--select", "--ignore", "--unsafe", "--runtime", "--fail-on"),
    "Building and starting": (
        *(
            "--engine",
            "--builder",
            "--buildkit-addr",
            "--kaniko",
            "--kaniko-flag",
            "--no-cache",
            "--build-timeout",
        ),
        *(
            "--no-run",
            "--smoke",
            "--env",
            "--arg",
            "--runs",
            "--memory",
            "--pids-limit",
            "--allow-new-privileges",
        ),
        *("--start-timeout", "--stop-timeout", "--next-release", "--patched-jar", "--keep"),
    ),
    "Figures": ("--bandwidth", "--rtt"),
    "Where the images go": ("--to", "--tag", "--from"),
    "Registry": (
        *(
            "--push-to",
            "--plain-http",
            "--insecure",
            "--mount-from",
            "--base",
            "--known",
            "--verify",
            "--trust-tags",
        ),
        *(
            "--only-to",
            "--chunk-size",
            "--tries",
            "--parallel",
            "--compression-level",
            "--sibling",
            "--mounts",
        ),
    ),
    "Output": ("--format", "--output-file", "--force", "--no-color", "--quiet", "--verbose", "--help"),
}

#: What exit code 1 says of a command, which is always a verdict; a command that is not here has none.
VERDICTS = {
    "suggest": "--fail-on is met",
    "rewrite": "--check: a file would change",
    "compare": "the two were seen to behave differently",
    "gate": "a budget is broken",
    "fleet write": "--check: something would change",
    "fleet compare": "one was seen to behave differently",
    "fleet gate": "a budget is broken",
}
#: Commands that build, measure or push: what exit code 3 says of them.
NOT_MEASURED = {
    "rewrite": "--check: a jar that decides it is not built yet",
    "compare": "it could not be built, started or measured",
    "gate": "it could not be measured",
    "inspect": "the daemon or registry failed",
    "push": "the daemon or registry failed",
    "fleet compare": "one could not be built, started or measured",
    "fleet gate": "it could not be measured",
    "fleet push": "the daemon or registry failed",
    "bandwidth": "the registry failed",
}


_BELOW = " " * 6


def exit_codes(command: str) -> list[tuple[str, str]]:
    """Code and meaning, for a command or for all."""
    of_one, of_measuring = VERDICTS.get(command), NOT_MEASURED.get(command)
    if command == "imgopt":
        of_one, of_measuring = "a verdict", "it could not be built, measured or seen to work"
    return [
        ("0", "done"),
        *([("1", of_one)] if of_one else []),
        ("2", "wrong input or usage"),
        *([("3", of_measuring)] if of_measuring else []),
        ("70", "a bug in imgopt"),
        ("130", "interrupted"),
    ]


def write(command: Any, context: Any, formatter: Any) -> None:
    """The help of a command or of the whole program, into typer's formatter."""
    formatter.width = max(50, shutil.get_terminal_size((80, 24)).columns - 2)
    name = command.name if context.parent is not None else "imgopt"
    command.format_usage(context, formatter)
    command.format_help_text(context, formatter)
    _options(command, context, formatter)
    if hasattr(command, "list_commands"):
        command.format_commands(context, formatter)
    if name in EXAMPLES:
        with formatter.section("Examples"):
            # side by side where there is room, else one below the other: an example is never broken
            longest = max(len(line) for line, _ in EXAMPLES[name])
            room = formatter.width - 2 >= longest + 2 + max(len(what) for _, what in EXAMPLES[name])
            for line, what in EXAMPLES[name]:
                if room:
                    formatter.write(f"  {line:<{longest}}  {what}\n")
                else:
                    formatter.write(
                        f"  {line}\n{fill(what, formatter.width, initial_indent=_BELOW, subsequent_indent=_BELOW)}\n"
                    )
    with formatter.section("Exit codes"):
        formatter.write_dl(exit_codes(name))


def _options(command: Any, context: Any, formatter: Any) -> None:
    """Arguments, then the groups of options, then those of none."""
    group_of = {option: title for title, options in GROUPS.items() for option in options}
    found: dict[str, list[tuple[str, str]]] = {"Arguments": [], **{title: [] for title in GROUPS}, "": []}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None:
            continue
        if parameter.param_type_name == "argument":
            found["Arguments"].append(record)
        else:
            found[next((group_of[name] for name in parameter.opts if name in group_of), "")].append(record)
    rest, output = found.pop(""), found.pop("Output")
    if sum(map(bool, found.values())) < 2:  # groups of one or two options help nobody
        found["Options"] = [*rest, *output]
    else:
        found |= {"Other options": rest, "Output": output}
    for title, records in found.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)
