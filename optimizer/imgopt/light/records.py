"""`dataclass`, `field` and `replace` as the standard library has them, for less when a module is imported.

The library's decorator writes and compiles up to eight methods of each class. Half of a run without a jar went into that,
most of it for classes that the run makes no object of. Here a class shares its methods with all others, and its
``__init__`` is written when a dozen objects of it were made. Type checkers are told that it is the library's; `dataclasses.fields`
and what else looks at data classes works.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

__all__ = ["dataclass", "field", "replace"]

_MISSING: Any = type("_Missing", (), {"__repr__": lambda self: "<not given>"})()
_set = object.__setattr__


class _Field(NamedTuple):
    default: Any = _MISSING
    default_factory: Any = _MISSING
    init: bool = True
    repr: bool = True
    hash: bool | None = None
    compare: bool = True


_PLAIN = _Field()


class _Record(NamedTuple):
    """What the decorator was told of a class, and found."""

    fields: dict[str, _Field]
    types: dict[str, Any]
    frozen: bool
    eq: bool


def _dataclass(
    cls: type | None = None, /, *, frozen: bool = False, slots: bool = False, eq: bool = True
) -> Any:
    def make(cls: type) -> type:
        return _made(cls, frozen, slots, eq)

    return make if cls is None else make(cls)


def _made(cls: type, frozen: bool, slots: bool, eq: bool) -> type:
    given = cls.__dict__
    fields: dict[str, _Field] = {}
    types: dict[str, Any] = {}
    for base in cls.__mro__[-1:0:-1]:
        above = base.__dict__.get("__record__")
        if above is not None:
            if above.frozen != frozen:
                raise TypeError(f"{cls.__name__} and {base.__name__}: frozen is both or none")
            fields.update(above.fields)
            types.update(above.types)
    inherited = set(fields) if slots else ()
    own = [name for name, kind in cls.__annotations__.items() if not _of_class(kind)]
    without: list[str] = []
    for name in own:
        types[name] = cls.__annotations__[name]
        value = given.get(name, _MISSING)
        if isinstance(value, _Field):
            fields[name] = value
            if value.default is _MISSING:
                without.append(name)
            elif not slots:
                setattr(cls, name, value.default)
        elif value is _MISSING:
            fields[name] = _PLAIN
        else:
            fields[name] = _Field(value)
        if fields[name].default.__class__.__hash__ is None:
            raise ValueError(f"{cls.__name__}.{name}: all objects would share {value!r}; use default_factory")
    methods: dict[str, Any] = {
        "__record__": _Record(fields, types, frozen, eq),
        "__dataclass_fields__": _FIELDS,
        "__dataclass_params__": _PARAMS,
        "__match_args__": tuple(name for name, each in fields.items() if each.init),
    }
    if "__repr__" not in given:
        methods["__repr__"] = _repr
    if eq:
        methods["_compared"] = _COMPARED
        methods["_hashed"] = _HASHED
        if "__eq__" not in given:
            methods["__eq__"] = _eq
        if given.get("__hash__") is None:
            methods["__hash__"] = _hash if frozen else None
    if frozen:
        methods["__setattr__"] = _refuse
        methods["__delattr__"] = _refuse
    if slots:
        rest = {name: value for name, value in given.items() if name not in ("__dict__", "__weakref__", *own)}
        if frozen:
            rest.setdefault("__getstate__", _getstate)
            rest.setdefault("__setstate__", _setstate)
        slotted = tuple(name for name in own if name not in inherited)
        cls = type(cls)(cls.__name__, cls.__bases__, {**rest, **methods, "__slots__": slotted})
    else:
        for name in without:
            delattr(cls, name)
        for name, value in methods.items():
            setattr(cls, name, value)
    if "__init__" not in given:
        cls.__init__ = _first_init(cls)  # type: ignore[misc]
    return cls


def _of_class(kind: Any) -> bool:
    return str(kind).startswith(("ClassVar", "typing.ClassVar"))


#: Objects of a class before it is worth its own ``__init__``: to write one takes as long as thirty of them.
_FEW = 12


def _first_init(cls: Any) -> Callable[..., None]:
    """What makes the first objects of a class. Arguments that do not fit are left to the class's own, which tells."""
    fields: dict[str, _Field] = cls.__record__.fields
    put = _set if cls.__record__.frozen else setattr
    positional = cls.__match_args__
    made = 0

    def __init__(self: Any, *args: Any, **named: Any) -> None:
        nonlocal made
        made += 1
        given = dict(zip(positional, args, strict=False))
        fits = len(args) <= len(positional) and all(name in positional[len(args) :] for name in named)
        if made > _FEW or not fits:
            return _written_init(cls)(self, *args, **named)
        given |= named
        for name, each in fields.items():
            if name in given:
                put(self, name, given[name])
            elif each.default_factory is not _MISSING:
                put(self, name, each.default_factory())
            elif each.default is not _MISSING:
                put(self, name, each.default)
            elif each.init:
                return _written_init(cls)(self, *args, **named)
        if hasattr(cls, "__post_init__"):
            self.__post_init__()
        return None

    return __init__


def _written_init(cls: Any) -> Callable[..., None]:
    """The class's own ``__init__``, which takes the place of the one that was there until its first object."""
    record: _Record = cls.__record__
    known: dict[str, Any] = {"_set": _set, "_MISSING": _MISSING}
    parameters, lines = ["self"], []
    for name, each in record.fields.items():
        value = name
        if each.default_factory is not _MISSING:
            known[f"_new_{name}"] = each.default_factory
            value = f"_new_{name}()"
            if each.init:
                parameters.append(f"{name}=_MISSING")
                value = f"{value} if {name} is _MISSING else {name}"
        elif each.default is not _MISSING:
            known[f"_of_{name}"] = each.default
            if each.init:
                parameters.append(f"{name}=_of_{name}")
            else:
                value = f"_of_{name}"
        elif each.init:
            parameters.append(name)
        else:
            continue
        lines.append(f" _set(self,{name!r},{value})" if record.frozen else f" self.{name}={value}")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    exec(f"def __init__({','.join(parameters)}):\n" + ("\n".join(lines) or " pass"), known)
    written: Callable[..., None] = known["__init__"]
    written.__qualname__ = f"{cls.__qualname__}.__init__"
    written.__module__ = cls.__module__
    cls.__init__ = written
    return written


class _Values:
    """A class's function from an object to the tuple of those values that count, made when it is first asked for."""

    def __init__(self, name: str, counts: Callable[[_Field], bool]) -> None:
        self._name = name
        self._counts = counts

    def __get__(self, instance: Any, cls: Any) -> Callable[[Any], tuple[Any, ...]]:
        owner = next(each for each in cls.__mro__ if each.__dict__.get(self._name) is self)
        names = [name for name, each in owner.__record__.fields.items() if self._counts(each)]
        values: Callable[[Any], tuple[Any, ...]]
        if len(names) > 1:
            values = attrgetter(*names)
        else:

            def values(record: Any) -> tuple[Any, ...]:
                return tuple(getattr(record, name) for name in names)

        setattr(owner, self._name, staticmethod(values))
        return values


_COMPARED = _Values("_compared", lambda each: each.compare)
_HASHED = _Values("_hashed", lambda each: each.compare if each.hash is None else each.hash)


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is self.__class__:
        values = self._compared
        return values(self) == values(other)
    return NotImplemented


def _hash(self: Any) -> int:
    return hash(self._hashed(self))


_shown: set[int] = set()  # objects whose text is being made, since one may hold itself


def _repr(self: Any) -> str:
    if id(self) in _shown:
        return "..."
    _shown.add(id(self))
    try:
        names = [name for name, each in self.__record__.fields.items() if each.repr]
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({values})"
    finally:
        _shown.discard(id(self))


def _refuse(self: Any, name: str, value: object = None) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change or delete {name!r} of {self.__class__.__qualname__}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__record__.fields]


def _setstate(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__record__.fields, state, strict=True):
        _set(self, name, value)


class _Twin:
    """What the library's own functions look for in a data class, of a class that the library made of the same fields."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, cls: Any) -> Any:
        import dataclasses

        record: _Record = cls.__record__
        fields: list[Any] = []
        for name, each in record.fields.items():
            settings = {key: value for key, value in each._asdict().items() if value is not _MISSING}
            fields.append((name, record.types[name], dataclasses.field(**settings, kw_only=True)))
        twin = dataclasses.make_dataclass(cls.__name__, fields, frozen=record.frozen, eq=record.eq)
        return getattr(twin, self._name)


_FIELDS, _PARAMS = _Twin("__dataclass_fields__"), _Twin("__dataclass_params__")


def _replace(record: Any, /, **changes: Any) -> Any:
    for name, each in record.__record__.fields.items():
        if not each.init:
            if name in changes:
                raise ValueError(f"{name} is made by {record.__class__.__qualname__} itself")
        elif name not in changes:
            changes[name] = getattr(record, name)
    return record.__class__(**changes)


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _dataclass, _Field, _replace
