"""Whether a registry mounts: lets one repository have a blob that another one holds, without its bytes being sent again.

The specification lets it refuse (202: send it), so it is tried: with a blob of random bytes, which neither repository can
have, and by what the second repository has afterwards, not by what was answered.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from imgopt.bases.reference import parse_reference
from imgopt.errors import ImgoptError, UsageError
from imgopt.registry.client import Access, Client, connected, pull, push
from imgopt.registry.errors import RegistryError
from imgopt.registry.manifests import newest
from imgopt.registry.result import Mounts
from imgopt.registry.target import DOCKER_HUB_HOST, Target, parse_target

PROBE_BYTES = 1000
#: What the second repository is called where nobody names one: beside the first, so that the same rights are likely to
#: hold there, and by a name that nobody's image has.
BESIDE = "-imgopt-mounts"
_LONGEST_NAME = 255


def sibling_of(target: Target, given: str | None) -> str | None:
    """The second repository, by name within the registry; None where none is named and none may be made up.

    UsageError where it is none of this registry, or the first one again.
    """
    if given is None:
        made_up = target.repository + BESIDE
        # what is pushed to a new name there becomes a repository that everybody sees
        return None if target.host == DOCKER_HUB_HOST or len(made_up) > _LONGEST_NAME else made_up
    reference = parse_reference(given)
    if reference.tag is not None or reference.digest is not None:
        raise UsageError(f"--sibling {given} names an image", "give a repository: nothing is stored there")
    if reference.registry is not None and parse_target(given).host != target.host:
        raise UsageError(
            f"--sibling {given} is not in {target.name}", "a registry mounts its own repositories only"
        )
    if reference.repository == target.repository:
        raise UsageError(f"--sibling {given} is the repository itself", "name a second one")
    return reference.repository


def try_mounts(reference: str, sibling: str | None = None, access: Access | None = None) -> Mounts:
    """Sends a blob of 1 kB to the repository, has it mounted into ``sibling``, looks whether it is there, and removes it from
    both. What goes wrong is a reason why the answer is not known; UsageError for names that cannot be meant."""
    target = parse_target(reference)
    into = sibling_of(target, sibling)
    if into is None:
        why = f"{target.name} would make a repository of any new name, which everybody sees"
        if target.host != DOCKER_HUB_HOST:
            why = "the name of the repository is too long to make up another one"
        return Mounts(None, target.repository, None, why)
    try:
        with connected(target, access) as client:
            return _Trial(client, target.repository, into).run()
    except RegistryError as error:
        return Mounts(None, target.repository, into, error.message)


class _Trial:
    def __init__(self, client: Client, source: str, into: str) -> None:
        self._client, self._source, self._into = client, source, into
        self._data = os.urandom(PROBE_BYTES)
        self._digest = f"sha256:{hashlib.sha256(self._data).hexdigest()}"
        self._sent_to: list[str] = []  # where the blob may be now
        self._left: list[str] = []
        self._made = False

    def run(self) -> Mounts:
        answer: bool | None = None
        try:
            answer, why = self._try()
        except RegistryError as error:
            why = error.message
        finally:
            self._remove()
        largest = (None, None) if answer else self._image_there()
        return Mounts(answer, self._source, self._into, why, tuple(self._left), *largest)

    def _try(self) -> tuple[bool | None, str]:
        client = self._client
        new = self._names_no_tags(self._into)
        self._send()
        if not self._there(self._source):
            return None, f"{self._source} does not have what was sent to it"
        if self._there(self._into):
            return None, f"{self._into} has it already, before anything was mounted"
        try:
            answer = client.mount(self._into, self._digest, self._source)
        except RegistryError as error:
            if error.status is not None and (error.status >= 500 or error.status == 429):
                raise
            return self._refused(error.message)  # its token service may know no token for two repositories
        if answer.mounted:
            self._made = new
            self._sent_to.append(self._into)
            if self._there(self._into):
                return True, "the registry answers 201, and the blob is there"
            self._sent_to.remove(self._into)
            return False, "the registry answers 201, but the blob is not there"
        if answer.location is not None:
            self._made = new
            self._cancel(self._into, answer.location)
            return False, "the registry answers 202: the blob has to be sent"
        return self._refused(f"the registry answers {answer.status}")

    def _refused(self, how: str) -> tuple[bool | None, str]:
        """Whether it is mounts that are refused, or this user in the second repository: an upload without one tells."""
        try:
            self._cancel(self._into, self._client.start_upload(self._into))
        except RegistryError as error:
            return None, error.message
        return False, f"{how}, where it takes an upload"

    def _send(self) -> None:
        client, repository = self._client, self._source
        location = client.start_upload(repository)
        sign = "&" if "?" in location else "?"
        self._sent_to.append(repository)
        answer = client.request(
            "PUT",
            f"{location}{sign}digest={self._digest}",
            scopes=push(repository),
            headers={"Content-Type": "application/octet-stream"},
            data=self._data,
        )
        if answer.status not in (200, 201, 204):
            self._sent_to.remove(repository)
            client.cancel_upload(repository, location)
            raise client.refusal(answer, f"push to {repository}")

    def _there(self, repository: str) -> bool:
        return self._client.blob_size(repository, self._digest) in (PROBE_BYTES, -1)

    def _cancel(self, repository: str, location: str) -> None:
        if not self._client.cancel_upload(repository, location):
            self._left.append(
                f"an upload to {repository} that was begun, which registries give up by themselves"
            )

    def _names_no_tags(self, repository: str) -> bool:
        answer = self._client.request("GET", f"/v2/{repository}/tags/list?n=1", scopes=pull(repository))
        return answer.status == 404

    def _remove(self) -> None:
        for repository in reversed(self._sent_to):
            if how := self._stays(repository):
                self._left.append(f"1 kB in {repository}, in no image, until the registry clears up: {how}")
        if self._made:
            self._left.append(f"perhaps {self._into} as an empty repository")

    def _stays(self, repository: str) -> str | None:
        """Why the blob is still there; None when it is gone, or never came."""
        client = self._client
        try:
            answer = client.request(
                "DELETE",
                f"/v2/{repository}/blobs/{self._digest}",
                scopes=(f"repository:{repository}:pull,push,delete",),
                tries=2,
            )
            if answer.status == 404 or (answer.status < 300 and not self._there(repository)):
                return None
            return f"it answers {answer.status} to removing it"
        except RegistryError as error:
            return error.message
        except KeyboardInterrupt:  # the removal was asked for, the look was not
            return None

    # --- what one repository would save ---

    def _image_there(self) -> tuple[str | None, int | None]:
        """The newest tag by its name and the bytes of all its layers, as its manifest says."""
        client = self._client
        try:
            tags = newest(client.tags(self._source, pages=1).names)
            manifest = client.manifest(self._source, tags[0]) if tags else None
        except ImgoptError:
            return None, None
        sizes = _layer_sizes(manifest.document) if manifest is not None else None
        return (tags[0], sum(sizes)) if sizes else (None, None)


def _layer_sizes(document: Mapping[str, Any]) -> list[int] | None:
    """None of an index, and of what is none."""
    layers = document.get("layers")
    if not isinstance(layers, list):
        return None
    sizes = [each.get("size") if isinstance(each, dict) else None for each in layers]
    if not all(
        isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 50 for size in sizes
    ):
        return None
    return [size for size in sizes if isinstance(size, int)]
