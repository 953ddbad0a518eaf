"""What is known of a base image: the value every other part of this package makes or reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from imgopt.bases.reference import Reference
from imgopt.light.records import dataclass, field

Kind = Literal["jdk", "jre", "os", "build", "other", "unknown"]
Libc = Literal["glibc", "musl"]
Vm = Literal["hotspot", "openj9"]

AMD64 = "linux/amd64"
ARM64 = "linux/arm64"


@dataclass(frozen=True, slots=True)
class Base:
    """A base image, as far as its name tells. ``None`` always means "not known", never "no".

    ``has`` and ``lacks`` name commands (``sh bash curl wget find unzip apk apt yum dnf microdnf useradd groupadd
    adduser addgroup busybox gpg git jar javac jcmd jstack jmap jps jstat keytool jfr run-java.sh``) and features
    (``tzdata fontconfig fonts locales ca-certificates coreutils openssl libgcc binutils``, ``awt``: the JVM's AWT and
    font libraries, ``jmods``: a JDK's packaged modules, ``crac``: a build that makes and loads checkpoints). What is in neither is not known.
    """

    name: str
    reference: Reference
    family: str = "unknown"
    # The public repository this is, without tag and mirror ("openjdk", "gcr.io/distroless/java21-debian13").
    image: str | None = None
    java_major: int | None = None
    # As the tag writes it ("17.0.5_8", "8u292"); None when the tag names the major version only.
    java_version: str | None = None
    # A tag that names one release, or a digest: the next build does not move it.
    pinned: bool = False
    kind: Kind = "unknown"
    libc: Libc | None = None
    os: str | None = None
    os_version: str | None = None
    vm: Vm | None = None
    # Build and server images: the family of the JDK inside ("amazoncorretto" for maven:3-amazoncorretto-17).
    vendor: str | None = None
    # Why the image should not be used any more, with the date where one is known.
    retired: str | None = None
    # Why an application may need this very JDK: leaving the family is then no safe change.
    vendor_features: str | None = None
    platforms: tuple[str, ...] = ()
    user: str | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    java_home: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    has: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    # "harbor.corp/library" when the name is a public one behind another registry. Only public.ecr.aws/docker/library
    # and prefixes declared by the user are known to hold the other public images too.
    mirror: str | None = None
    mirror_complete: bool = False
    # For images nobody published: a Java version the name suggests. A hint for a message, never a fact.
    hint_major: int | None = None
    # The user's own word from imgopt.toml.
    declared: bool = False
    declared_counterpart: str | None = None
    # What is known of that image: declared too, or public.
    counterpart: Base | None = None
    note: str | None = None
