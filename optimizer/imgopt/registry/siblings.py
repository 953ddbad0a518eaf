"""What the pushes of one call know together of one registry: which of its repositories may have a layer, which have one for
certain, and which refuse to be mounted from.

A mount names a blob by the digest that was made or held here, so nobody's word is taken for what is in it: what an image,
a label, a configuration or a note says of a repository is a candidate's name and no more. A registry that cannot or may
not mount says 202 and begins an upload in its place, which is used for the layer: a wrong candidate costs a question.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from imgopt.bases.reference import parse_reference
from imgopt.errors import InputError, MeasureError
from imgopt.images.model import Descriptor
from imgopt.light.records import dataclass
from imgopt.registry.client import Client
from imgopt.registry.manifests import newest_blobs
from imgopt.registry.target import Target, parse_target
from imgopt.registry.together import together

#: Repositories that are looked into for a call.
MOST_SIBLINGS = 20
#: Refusals by so many repositories, and no mount in between: the registry does not mount at all.
_MOST_REFUSALS = 3


@dataclass(frozen=True, slots=True)
class Sibling:
    """A repository of the same registry; ``tag``: one that is likely to be its newest, None where none is known."""

    repository: str
    tag: str | None = None


def siblings_of(target: Target, names: Sequence[str]) -> list[Sibling]:
    """Those of the names, ``[REGISTRY/]REPO[:TAG]``, that are repositories of the target's registry. One without a
    registry is one of it. Names that are none, and other registries', are passed over: they are only candidates."""
    found: dict[str, Sibling] = {}
    for name in names:
        try:
            reference = parse_reference(name)
            full = name if reference.registry is not None else f"{target.name}/{name}"
            place = parse_target(full.partition("@")[0])
        except InputError:
            continue
        if place.name == target.name and place.repository != target.repository:
            found.setdefault(place.repository, Sibling(place.repository, place.tag))
    return [*found.values()][:MOST_SIBLINGS]


class Shared:
    """Of one call and one registry. Safe to use from several threads."""

    def __init__(self, client: Client) -> None:
        self.client = client
        #: What layers were compressed to here, by their diff IDs.
        self.made: dict[str, Descriptor] = {}
        self._holders: dict[
            str, dict[str, None]
        ] = {}  # repositories of which this call knows that they have a blob
        self._named: dict[str, frozenset[str]] = {}  # blobs that a sibling's newest manifest names
        self._refused: dict[str, str] = {}
        self._mounts = False
        self._refusals = 0
        self._never = ""
        self._lock = Lock()
        self._asking = Lock()

    def holds(self, repository: str, digest: str) -> None:
        """The repository has this blob: it was seen, sent or mounted there."""
        with self._lock:
            self._holders.setdefault(digest, {})[repository] = None

    def known_holders(self, digest: str) -> list[str]:
        with self._lock:
            return [*self._holders.get(digest, ())]

    def holders(self, digest: str, siblings: Sequence[Sibling], platform: str, tag: str) -> list[str]:
        """Siblings whose newest image names the blob, also those that refuse; each is asked once in a call."""
        with self._asking:
            together(
                lambda each: self._look_into(each, platform, tag),
                [each for each in siblings if self._is_worth_asking(each.repository)],
            )
        return [each.repository for each in siblings if digest in self._named.get(each.repository, ())]

    def _is_worth_asking(self, repository: str) -> bool:
        return repository not in self._named and self.refusal(repository) is None

    def _look_into(self, sibling: Sibling, platform: str, tag: str) -> None:
        named = self._newest(sibling, platform, tag)
        with self._lock:
            self._named[sibling.repository] = named

    def _newest(self, sibling: Sibling, platform: str, tag: str) -> frozenset[str]:
        try:
            return newest_blobs(self.client, sibling.repository, (sibling.tag, tag), platform)
        except MeasureError as error:  # closed to this user, or not there: it is a candidate only
            self.refuse(sibling.repository, error.message)
            return frozenset()

    # --- refusals ---

    def refusal(self, source: str) -> str | None:
        """Why nothing is mounted from there; None where it may be tried."""
        with self._lock:
            return self._refused.get(source) or self._never or None

    @property
    def never(self) -> bool:
        """Whether the registry is known not to mount."""
        with self._lock:
            return bool(self._never)

    def refuse(self, source: str, why: str, *, has_it: bool = False) -> None:
        """``has_it``: the source has the blob, and still it is not mounted."""
        with self._lock:
            self._refused[source] = why
            self._refusals += has_it
            if not self._mounts and self._refusals >= _MOST_REFUSALS:
                self._never = why

    def mounts_nothing(self, why: str) -> None:
        """It says that it mounts, and does not."""
        with self._lock:
            self._never = why

    def mounted(self) -> None:
        with self._lock:
            self._mounts = True
