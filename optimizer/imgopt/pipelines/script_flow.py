"""The order in which a script's commands run: lists, pipes, jobs in the background, loops, and the arms of `if` and `case`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imgopt import shell
from imgopt.light.patterns import regex
from imgopt.light.records import replace
from imgopt.pipelines.elsewhere import FED
from imgopt.pipelines.printed import fits, holds
from imgopt.pipelines.script_state import (
    LOOKS_THERE,
    MAX_LOOP,
    Choice,
    Function,
    Round,
    Standing,
    merged,
    read_names,
)
from imgopt.pipelines.tools import Arg
from imgopt.pipelines.words import GLOB, Scope

_COUNTING = regex(
    r"\s*(\w+)\s*=\s*(\d+)\s*;\s*\1\s*(<=?)\s*(.{1,100}?)\s*;\s*(?:\+\+\1|\1\+\+|\1\s*\+=\s*1)\s*", re.DOTALL
)
#: Behind an arm: what is set, the directory, and how the script leaves there.
_Arm = tuple[Scope, str | None, str]
_PIPES = ("|", "|&")


class Flow(Standing):
    """Runs lists; what a command does is for those above."""

    def command(self, command: shell.Command, fed: Arg | None = None) -> str:
        """Runs a command, which reads ``fed`` where that is known; how the script leaves there, as `nodes` says it."""
        raise NotImplementedError

    def nodes(self, nodes: Sequence[shell.Node], known: int) -> str:
        """Runs a list. ``known``: what is around all of it. "break", "continue", "return" or "exit" where the script surely
        leaves there."""
        at = 0
        while at < len(nodes):
            if self.reading.left <= 0:
                return "exit"
            job = _job(nodes[at], known)
            if job is not None:
                end = at
                while end < len(nodes) and _job(nodes[end], known) == job:
                    end += 1
                self._in_background(nodes[at:end], known)
                at = end
                continue
            end = _pipe_end(nodes, at)
            if end > at:
                self._piped(nodes[at : end + 1])
                at = end + 1
                continue
            node = nodes[at]
            at += 1
            redirects: tuple[tuple[str, shell.Word], ...] = ()
            if not isinstance(node, shell.Command) and at < len(nodes) and _only_redirects(nodes[at]):
                redirects = nodes[at].redirects  # type: ignore[union-attr]
                self._writes(redirects)
                at += 1
            counting = nodes[at] if at < len(nodes) and _counts(node) else None
            if isinstance(counting, shell.Block):
                at += 1
                left = self._counting(node, counting)
            else:
                left = self.node(node, redirects)
            if left:
                return left
        return ""

    def _in_background(self, nodes: Sequence[shell.Node], known: int) -> None:
        outside = [each for each in self.rounds if each.depth <= len(self.path)]
        unknown = any(each.unknown and not each.waits for each in outside)
        self._group(self._jobs(), new=True)
        self.path.append((self._new(), unknown))
        directory, scope = self.directory, self.scope
        self.scope = scope.copy()
        self.nodes(nodes, known + 1)
        self.directory, self.scope = directory, scope
        self.path.pop()

    def _piped(self, nodes: Sequence[shell.Node]) -> None:
        """``a | b``: the last one may read what the others print."""
        last = nodes[-1]
        feeds = isinstance(last, shell.Block) and last.kind in ("while", "until")
        if isinstance(last, shell.Command) and last.words:
            feeds = last.program in FED
        if not feeds:
            self._piped_on(nodes)
            return
        before = nodes[-2]
        if isinstance(before, shell.Command):
            before = replace(before, follows="")
        fed = self.printer().output([*nodes[:-2], before], self.parsed)
        if fed is None:
            self._piped_on(nodes[:-1])
            self._from_elsewhere(last, nodes[:-1])
        if isinstance(last, shell.Command):
            self.command(last, fed=fed)
        elif isinstance(last, shell.Block):
            scope = self.scope
            self.scope = scope.copy()
            self._while(last, fed, read=True)
            self.scope = scope

    def _from_elsewhere(self, last: shell.Node, before: Sequence[shell.Node]) -> None:
        """``sed … kaniko.yaml | kubectl apply -f -``, ``envsubst < pod.yaml | kubectl apply -f -``: of which nothing else is
        known."""
        if not isinstance(last, shell.Command) or last.program not in ("kubectl", "oc"):
            return
        words = self.words()
        for each in (node for node in before if isinstance(node, shell.Command)):
            read = [word for sign, word in each.redirects if sign.lstrip("0") == "<"]
            names = [words.value(word.text).known for word in (*each.words[1:], *read)][:20]
            if any("kaniko" in name or self._starts_kaniko(name) for name in names):
                self._say(last, f"{last.program} with kaniko", "what it gets is not known")
                return

    def _starts_kaniko(self, name: str) -> bool:
        if not name or name.startswith("-"):
            return False
        return "kaniko" in (self.reading.repository.script(name, self.directory) or "")

    def _piped_on(self, nodes: Sequence[shell.Node]) -> None:
        """The parts of a pipe of which nothing is known but that they run, each in a shell of its own."""
        for node in nodes:
            directory, scope = self.directory, self.scope
            self.scope = scope.copy()
            self.node(node, ())
            self.directory, self.scope = directory, scope

    def node(self, node: shell.Node, redirects: Sequence[tuple[str, shell.Word]]) -> str:
        self.reading.left -= 1
        if isinstance(node, shell.Command):
            return self.command(node)
        if node.kind == "for":
            return self._for(node)
        if node.kind == "function":
            name = node.subject.text if node.subject is not None else ""
            self.functions[name] = Function(node, self.script, self.parsed, self.offset)
            return ""
        if node.kind == "if":
            return self._if(node)
        if node.kind == "case":
            return self._case(node)
        if node.kind in ("while", "until"):
            return self._while(node, self._fed(redirects), read=bool(redirects))
        directory, scope = self.directory, self.scope
        if node.kind == "(":
            self.scope = scope.copy()
        left = self.nodes(node.parts[0][1], len(node.around))
        if node.kind == "(":
            self.directory, self.scope = directory, scope
            left = ""
        return left

    def _for(self, node: shell.Block) -> str:
        words = self.words()
        variable = node.subject.text if node.subject is not None else "_"
        if not node.words:
            listed = [*self.scope.positional] if self.scope.positional is not None else [Arg("$@", None)]
        else:
            listed = [arg for word in node.words for arg in words.fields(word.text)]
        listed = [
            Arg(arg.text, None) if arg.value is not None and GLOB.search(arg.value) else arg for arg in listed
        ]
        return self._rounds(node, variable, listed, [word.text for word in node.words])

    def _rounds(self, node: shell.Block, variable: str, listed: list[Arg], written: list[str]) -> str:
        if len(listed) > MAX_LOOP:
            self.reading.cut = True
        several = len(written) != len(listed) or not all(_is_one(word) for word in written)
        unknown = not listed or (several and any(arg.value is None for arg in listed))
        outside, place = self.scope.variables.get(variable), self.place
        if unknown:
            self.place = replace(place, loop=self._new())
            self._say(
                node, f"for {variable} in {' '.join(written)[:60]}", "which words these are is not known here"
            )
        waits = any(_waits(each) for each in shell.flatten(node.parts[0][1]))
        left = ""
        one = Arg(f"${variable}", None)
        for arg in listed[:MAX_LOOP] if len(listed) > 1 or not unknown else [one]:
            self.scope.set(variable, arg)
            self.rounds.append(Round(len(self.path), unknown and arg.value is None, waits))
            left = self.nodes(node.parts[0][1], len(node.around))
            self.rounds.pop()
            if left in ("break", "return", "exit"):
                break
        if outside is not None:
            self.scope.variables[variable] = outside
        self.place = place
        return left if left in ("return", "exit") else ""

    def _counting(self, head: shell.Node, node: shell.Block) -> str:
        """``for ((i = 0; i < n; i++))``."""
        text = head.words[1].text if isinstance(head, shell.Command) and len(head.words) > 1 else ""
        match = _COUNTING.fullmatch(text)
        listed: list[Arg] = []
        if match is not None:
            end = self.words().value(
                match[4] if "$" in match[4] else f"${{{match[4]}}}" if match[4].isidentifier() else match[4]
            )
            if end.value is not None and re.fullmatch(r"\d{1,6}", end.value):
                last = int(end.value) + (match[3] == "<=")
                listed = [Arg(str(n), str(n)) for n in range(int(match[2][:6]), min(last, MAX_LOOP + 1))]
        return self._rounds(node, match[1] if match is not None else "_", listed, [f"(({text}))"])

    def _while(self, node: shell.Block, fed: Arg | None, *, read: bool) -> str:
        """A loop: over the lines that `read` takes where they are known, else one round for all of them."""
        condition, body = node.parts[0][1], node.parts[1][1] if len(node.parts) > 1 else ()
        known = len(node.around) + 1
        reads = next((each for each in shell.flatten(condition) if each.program == "read"), None)
        waits = any(_waits(each) for each in shell.flatten((*condition, *body)))
        place = self.place
        if (
            reads is not None
            and fed is not None
            and fed.text.strip()
            and (fed.value is not None or "\n" in fed.text)
        ):
            lines = [line for line in fed.text.rstrip("\n").split("\n") if line.strip()]
            if len(lines) > MAX_LOOP:
                self.reading.cut = True
            left = ""
            for line in lines[:MAX_LOOP]:
                self._read(reads, Arg(line, line if fed.value is not None else None))
                self.rounds.append(Round(len(self.path), False, waits))
                left = self.nodes(body, known)
                self.rounds.pop()
                if left in ("break", "return", "exit"):
                    break
            return left if left in ("return", "exit") else ""
        if reads is not None:
            self.place = replace(place, loop=self._new())
            self._say(node, "while read", "the lines that it reads are not known here")
            for name in read_names(reads):
                self.scope.set(name, Arg(f"${name}", None))
        self.rounds.append(Round(len(self.path), True, waits))
        before = self.scope.copy()
        self.nodes(condition, known)
        self.nodes(body, known)
        self.scope = merged(before, [before, self.scope])
        self.rounds.pop()
        self.place = place
        return ""

    def _if(self, node: shell.Block) -> str:
        which, before = self._new(), self.scope
        arms: list[_Arm] = []
        directory, number = self.directory, 0
        told: bool | None = None
        asks, complete = False, False
        for label, nodes in node.parts:
            if label in ("if", "elif"):
                self.nodes(nodes, len(node.around))
                told = holds(nodes, self.printer(), self.parsed.text)
                text = self.parsed.text[nodes[0].start : nodes[-1].end] if nodes else ""
                asks = LOOKS_THERE.search(text + " ") is not None
                continue
            if label == "then" and told is False:
                continue
            if label == "then" and told is True and not arms:
                return self.nodes(nodes, len(node.around))
            if label == "else" and not arms:
                return self.nodes(nodes, len(node.around))
            complete = complete or label == "else" or told is True
            self._arm(nodes, Choice(which, number, asks), arms, before, len(node.around))
            number += 1
            if told is True:
                break
        self._after(before, directory, arms, complete=complete)
        return ""

    def _case(self, node: shell.Block) -> str:
        words = self.words()
        subject = words.value(node.subject.text) if node.subject is not None else Arg("", None)
        sure = subject.value is not None and not words.unsure
        which, before, directory = self._new(), self.scope, self.directory
        arms: list[_Arm] = []
        complete = False
        for number, (pattern, nodes) in enumerate(node.parts):
            written = [self.words().value(each.strip()) for each in pattern.split("|")]
            any_other = any(each.value == "*" for each in written)
            if sure and all(each.value is not None for each in written):
                if any(fits(subject.value or "", each.value or "") for each in written) and not arms:
                    return self.nodes(nodes, len(node.around))
                continue
            complete = complete or any_other
            self._arm(nodes, Choice(which, number, False), arms, before, len(node.around))
        self._after(before, directory, arms, complete=complete)
        return ""

    def _arm(
        self, nodes: Sequence[shell.Node], choice: Choice, arms: list[_Arm], before: Scope, known: int
    ) -> None:
        directory = self.directory
        self.scope = before.copy()
        self.choices.append(choice)
        left = self.nodes(nodes, known)
        self.choices.pop()
        arms.append((self.scope, self.directory, left))
        self.scope, self.directory = before, directory

    def _after(self, before: Scope, directory: str | None, arms: list[_Arm], *, complete: bool) -> None:
        """What is set behind arms of which one runs: those that leave the script do not come here."""
        staying = [(scope, where) for scope, where, left in arms if not left]
        scopes = [scope for scope, _ in staying]
        directories = {where for _, where in staying}
        if not complete or not staying:
            scopes.append(before)
            directories.add(directory)
        self.scope = merged(before, scopes)
        self.directory = directories.pop() if len(directories) == 1 else None


def _job(node: shell.Node, known: int) -> int | None:
    """The "&" that puts a node of a list into the background, by where it stands."""
    own = node.around[known : known + 1]
    return own[0][1] if own and own[0][0] == "&" else None


def _pipe_end(nodes: Sequence[shell.Node], at: int) -> int:
    """The last of a pipe that begins there."""
    while at + 1 < len(nodes) and (nodes[at].follows in _PIPES or nodes[at + 1].operator in _PIPES):
        at += 1
    return at


def _only_redirects(node: shell.Node) -> bool:
    return isinstance(node, shell.Command) and not node.words and not node.assignments and not node.operator


def _counts(node: shell.Node) -> bool:
    return isinstance(node, shell.Command) and bool(node.words) and node.words[0].text == "(("


def _waits(command: shell.Command) -> bool:
    """Whether it waits for all that runs in the background: for one job of several, too, since scripts name them all."""
    words = [word.text for word in command.words[:2]]
    return words[:1] == ["wait"] and words[1:] != ["-n"]


def _is_one(word: str) -> bool:
    """Whether a word of a list is one whatever is in it: quoted, or with a text of its own beside a variable."""
    if re.search(r"[@*]", word):
        return False
    return bool(re.fullmatch(r"\"[^\"]*\"|'[^']*'", word)) or not re.fullmatch(
        r"\$\w+|\$\{.*\}|\$\(.*\)|`.*`", word, re.DOTALL
    )
