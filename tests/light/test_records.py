"""A data class of ours does what the standard library's does, for each way in which the product writes one."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
import typing
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pytest

from imgopt.light import records

ROOT = Path(__file__).parents[2]
KINDS: list[dict[str, bool]] = [
    {},
    {"frozen": True},
    {"slots": True},
    {"frozen": True, "slots": True},
    {"eq": False},
    {"frozen": True, "eq": False},
]


def described(make: Any, field: Any, replace: Any, kind: dict[str, bool]) -> list[object]:
    """What can be seen of classes that `make` makes, errors by their types."""

    @make(**kind)
    class Base:
        name: str
        size: int | None = None
        tags: list[str] = field(default_factory=list, hash=False)
        note: str = field(default="", compare=False, repr=False)
        count: ClassVar[int] = 3

        def __post_init__(self) -> None:
            if self.size == 13:
                raise ValueError("unlucky")

    @make(**kind)
    class Derived(Base):
        size: int | None = 7
        more: tuple[int, ...] = ()

    @make(**{**kind, "frozen": False})
    class Later:
        value: int
        found: dict[str, int] = field(init=False)
        seen: bool = field(default=False, init=False)

        def __post_init__(self) -> None:
            self.found = {"x": self.value}

    @make(**kind)
    class Own:
        value: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

    @make(**kind)
    class Empty:
        pass

    class Plain(Base):
        pass

    def tried(call: Any) -> object:
        try:
            return call()
        except Exception as error:
            return type(error)

    one, same, other = Base("a", 1), Base(name="a", size=1), Base("a", 1, ["x"], "n")
    noted = Base("a", 1, note="n")
    derived = Derived("d")
    later = Later(4)
    seen: list[object] = [
        repr(one).rpartition(".")[2], repr(derived).rpartition(".")[2], repr(Own(1)), repr(Empty()).rpartition(".")[2],
        one == same, one == noted, one == other, one != other, derived == Base("d", 7), Base("d", 7) == Plain("d", 7),
        Own(1) == 5, Empty() == Empty(),
        tried(lambda: hash(one) == hash(same)), tried(lambda: hash(one) == hash(noted)), tried(lambda: hash(other) == hash(one)),
        tried(lambda: hash(Own(1))), tried(lambda: hash(Empty()) == hash(Empty())),
        tried(lambda: setattr(one, "name", "b")), tried(lambda: delattr(same, "name")),
        tried(lambda: Base()), tried(lambda: Base("a", 1, [], "", 5)), tried(lambda: Base("a", wrong=1)), tried(lambda: Base("a", 13)),
        tried(lambda: Base("a", name="b")), tried(lambda: Derived("a", 13)),
        Base("a").tags is Base("a").tags, later.found, later.seen, tried(lambda: Later(1, {})),
        replace(noted, size=2).size, replace(noted, size=2).note, type(replace(derived, more=(1,))) is Derived,
        type(replace(Plain("p"), size=2)) is Plain,
        tried(lambda: replace(one, wrong=1)), tried(lambda: replace(later, found={})), replace(later, value=5).found,
        tried(lambda: replace(one, size=13)),
        Base.__match_args__, Later.__match_args__, Base.count, hasattr(one, "__dict__"), Base.__name__, Derived.__bases__[0] is Base,
        [(each.name, each.type, each.init, each.repr, each.hash, each.compare) for each in dataclasses.fields(Derived)],
        dataclasses.is_dataclass(one), dataclasses.is_dataclass(Plain), dataclasses.asdict(derived), dataclasses.astuple(noted),
        dataclasses.replace(noted, size=5).size, tried(lambda: dataclasses.replace(noted, wrong=5)),
        copy.copy(noted).note, copy.deepcopy(other).tags,
    ]  # fmt: skip
    match noted:
        case Base("a", size):
            seen.append(size)
    return seen


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: " ".join(kind) or "plain")
def test_it_behaves_as_that_of_the_library(kind: dict[str, bool]) -> None:
    ours = described(records.dataclass, records.field, records.replace, kind)
    theirs = described(dataclasses.dataclass, dataclasses.field, dataclasses.replace, kind)
    assert ours == theirs


@records.dataclass(frozen=True, slots=True)
class Slotted:
    name: str
    parts: tuple[int, ...] = ()


@records.dataclass(frozen=True)
class Cached:
    name: str
    above: Any = None

    @cached_property
    def upper(self) -> str:
        return self.name.upper()


def test_it_can_be_sent_to_another_process() -> None:
    for record in (Slotted("a", (1, 2)), Cached("b")):
        again = pickle.loads(pickle.dumps(record))
        assert again == record and hash(again) == hash(record) and again is not record


def test_what_is_worked_out_once_is_kept_and_is_no_part_of_it() -> None:
    record = Cached("a")
    assert record.upper == "A" and record == Cached("a") and repr(record) == "Cached(name='a', above=None)"


def test_one_that_holds_itself_can_be_printed() -> None:
    around: list[Any] = []
    around.append(Cached("a", around))
    assert repr(around[0]) == "Cached(name='a', above=[...])"


def test_what_cannot_be_a_data_class_is_refused() -> None:
    with pytest.raises(ValueError, match="default_factory"):

        @records.dataclass
        class Shared:
            parts: list[int] = []  # noqa: RUF012

    with pytest.raises(TypeError, match="frozen"):

        @records.dataclass
        class Thawed(Cached):
            pass


def test_what_the_product_makes_when_it_is_imported() -> None:
    """No data class of the library and no compiled pattern. And each of our data classes can be made: one without a default
    behind one with a default would be told at the first object."""
    code = """
import dataclasses, importlib, pkgutil, re, sys
compiled = re.compile
def told(what):
    caller = sys._getframe(2).f_globals["__name__"]
    if caller.startswith("imgopt"):
        print(caller, what)
def dataclass(*given, **settings):
    told("makes a data class of the library")
    return plain(*given, **settings)
def compile(pattern, flags=0):
    told(f"compiles {pattern!r}")
    return compiled(pattern, flags)
plain, dataclasses.dataclass, re.compile = dataclasses.dataclass, dataclass, compile
import imgopt, imgopt_rules
from imgopt.light import records
for package in (imgopt, imgopt_rules):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.rpartition(".")[2].startswith(("make_", "__main__")):
            importlib.import_module(module.name)
def below(cls):
    for each in type.__subclasses__(cls):
        yield each
        yield from below(each)
ours = {cls for cls in below(object) if "__record__" in vars(cls)}
assert len(ours) > 300
for cls in ours:
    if not getattr(cls.__init__, "__qualname__", "").endswith(f"{cls.__name__}.__init__"):
        records._written_init(cls)
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(str(ROOT / each) for each in ("optimizer", "rules"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout.strip(), run.stderr, run.returncode) == ("", "", 0)


def test_type_checkers_see_that_of_the_library() -> None:
    assert typing.TYPE_CHECKING is False
    source = (ROOT / "optimizer/imgopt/light/records.py").read_text()
    assert "if TYPE_CHECKING:\n    from dataclasses import dataclass, field, replace\n" in source
