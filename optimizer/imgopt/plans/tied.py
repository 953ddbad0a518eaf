"""What is tied together moves together: archives of classes with the virtual machine and the class path that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgopt.finding import Reason, because
from imgopt.picture.class_archives import AOT, ClassArchive, class_archives
from imgopt.picture.java_options import options_of

if TYPE_CHECKING:
    from imgopt.bases import Base
    from imgopt.picture import Picture


def java_stays(picture: Picture) -> Reason | None:
    """Why the final image keeps the Java that it has: it is given an archive that another stage, or nobody here, made."""
    return next((_foreign(archive) for archive in class_archives(picture) if not archive.here), None)


def _foreign(archive: ClassArchive) -> Reason:
    if archive.trained is not None:
        return because(
            "certain",
            "{} brings the {} that {} makes in stage {}, and no other Java than that one takes it; keep {} and this stage on one image",
            archive.named,
            archive.what,
            archive.made if archive.made is not None else "a line",
            archive.trained.name,
            archive.trained.name,
        )
    if archive.carried:
        return because(
            "not-known",
            "{} brings {} {} from outside of this file, and no other Java than the one that made it takes it; make it by a RUN of this stage",
            archive.named,
            _article(archive.what),
            archive.what,
        )
    return because(
        "not-known",
        "{} names {} {} that nothing here makes, and no other Java than the one that made it takes it; make it by a RUN of this stage",
        archive.named,
        _article(archive.what),
        archive.what,
    )


def lacks_archive_of_the_jdk(picture: Picture, target: Base) -> Reason | None:
    """Why the JDK's own CDS archive, to which that of an application adds, may be missing on ``target``: Liberica's
    images on Alpine have it under tags with ``-cds`` alone, and of Temurin's on Alpine it is not known. Without it Java
    goes on without a word, but not with ``-Xshare:on``."""
    demanded = [option.where for option in options_of(picture, picture.final) if option.text == "-Xshare:on"]
    made = [archive.named for archive in class_archives(picture) if archive.here]
    bare = target.family == "liberica" and target.os == "alpine" and "cds" not in (target.reference.tag or "")
    if bare and (demanded or made):
        return because(
            "certain",
            "{} needs the JDK's own CDS archive, which {} lacks",
            (demanded or made)[0],
            target.name,
        )
    if demanded and target.libc == "musl" and picture.base.libc != "musl":
        return because(
            "not-known",
            "{} has -Xshare:on, which ends the start where the JDK's own CDS archive is missing, and {} is not known to have it",
            demanded[0],
            target.name,
        )
    return None


def class_path_stays(picture: Picture) -> Reason | None:
    """Why the class path stays as it is: an archive was made for it, or is made, and takes no directories."""
    for archive in class_archives(picture):
        if not archive.classes and archive.here:
            continue
        where = archive.made if archive.here and archive.made is not None else archive.named
        return because(
            "certain",
            "{} {} {} {}, which is bound to its class path and takes jars on it, no directories; unpack the jar with `tools extract` before, as Spring Boot's manual has it",
            where,
            "makes" if archive.here else "brings" if archive.carried else "names",
            _article(archive.what),
            archive.what,
        )
    return None


def times_stay(picture: Picture) -> Reason | None:
    """Why jars that another stage hands on keep their times: an archive made there knows them by these."""
    for archive in class_archives(picture):
        if not archive.here:
            return because(
                "certain",
                "{} {} {} {} that knows its jars by their times, which this would change",
                archive.named,
                "brings" if archive.carried else "names",
                _article(archive.what),
                archive.what,
            )
    return None


def _article(what: str) -> str:
    return "an" if what == AOT else "a"
