"""What a script gives to another shell, or writes down as a pipeline: it is not run here, and may build and push."""

from __future__ import annotations

from collections.abc import Sequence

from imgopt.light.patterns import regex
from imgopt.pipelines.tools import Arg

#: Programs that run a shell elsewhere, or as somebody else.
SHELLS = frozenset("ssh sshpass plink su sg runuser vagrant sh bash dash ksh zsh ash".split())
#: Programs that write down what they read.
WRITERS = frozenset(("cat", "tee", "envsubst"))
#: Of these it matters what they read.
FED = SHELLS | WRITERS | {"kubectl", "oc", "xargs", "parallel"}
_ELSEWHERE = "what it runs there is not read"
_WRITTEN = "who runs it is not in this file"
#: A program's own options, which may have a value behind them.
_OPTIONS = r"[ \t]+(?:-\S+[ \t]+(?:[^-\s]\S*[ \t]+)?){0,8}"
_ACTS = regex(
    rf"\b(?:docker|podman|nerdctl|buildah){_OPTIONS}(?:(?:image|buildx|compose){_OPTIONS})?(?:push|build|bud|bake)\b|"
    rf"\bdocker-compose{_OPTIONS}(?:push|build)\b|\bskopeo{_OPTIONS}copy\b|\bcrane{_OPTIONS}(?:push|copy|cp)\b|"
    rf"\bmake{_OPTIONS}(?!sure\b)(?:[\w.-]+(?:=\S*)?[ \t]+){{0,8}}[\w.-]*(?:push|publish)[\w.-]*(?![\w.=-])|"
    r"kaniko(?:-project)?/executor\b|\bjib:build\b|\bbuild-image\b|\bbootBuildImage\b"
)
_PIPELINE = regex(r"(?m)^[ \t]*(?:-[ \t]+)?(?:script|steps|run|image|args|command)[ \t]*[:({]")


def given_away(program: str, words: Sequence[Arg], fed: Arg | None) -> tuple[str, str] | None:
    """What is not followed of such a program, and why; None where it is of no interest. ``words`` stand behind its name."""
    if program in SHELLS:
        told = f"{' '.join(word.text for word in words)}\n{fed.text if fed is not None else ''}"
        return (f"{program} {_shown(told)}", _ELSEWHERE) if _ACTS.search(told) else None
    if program == "tkn" and any(word.value == "start" for word in words[:3]):
        return "tkn", _ELSEWHERE
    if program in WRITERS and fed is not None and _ACTS.search(fed.text) and _PIPELINE.search(fed.text):
        return f"what {program} writes, with {_shown(fed.text)},", _WRITTEN
    return None


def _shown(text: str) -> str:
    found = _ACTS.search(text)
    return found[0] if found is not None else ""
