"""An image of several platforms: each is judged and named, and a push sends all of them."""

from __future__ import annotations

import io
import json
import random
import tarfile
from pathlib import Path
from typing import Any

import pytest
from command_line import Imgopt, Run
from image_archives import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Layout, config_of, digest, packed, tar_of
from image_samples import docker_archive as sample
from image_samples import layer, link

BASE = layer({"base.bin": random.Random(1).randbytes(1_000_000)})
AMD = layer({"app/amd.bin": random.Random(2).randbytes(500_000)})
ARM = layer({"app/arm.bin": random.Random(3).randbytes(900_000)})
JDK = layer({"usr/bin/javac": b"\x7fELF" + bytes(range(256)) * 10})
PROVENANCE = random.Random(4).randbytes(300_000)


def size(*layers: bytes) -> int:
    return sum(len(packed(each)) for each in layers)


def attestation(layout: Layout, of: dict[str, Any], platform: str | None = "unknown") -> dict[str, Any]:
    blob = layout.add(PROVENANCE, "application/vnd.in-toto+json")
    config = layout.add(json.dumps({"architecture": "unknown", "os": "unknown"}).encode(), OCI_CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [blob]}
    notes = {"vnd.docker.reference.digest": of["digest"], "vnd.docker.reference.type": "attestation-manifest"}
    more = {"platform": {"os": platform, "architecture": platform}} if platform else {}
    return layout.add(json.dumps(manifest).encode(), OCI_MANIFEST, annotations=notes, **more)


def several(directory: Path, *extra: bytes, attested: bool = False, nested: bool = True) -> Path:
    layout = Layout()
    entries = [layout.image([BASE, AMD], "amd64"), layout.image([BASE, ARM, *extra], "arm64")]
    if attested:
        entries.append(attestation(layout, entries[0]))
    layout.top = [layout.index(entries)] if nested else entries
    return layout.write(directory)


def judged(run: Run) -> dict[str, dict[str, Any]]:
    return {
        target["platform"]: {each["name"]: each for each in target["budgets"]}
        for target in run.json["targets"]
    }


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("nested", [True, False])
def test_each_platform_is_judged_and_named(imgopt: Imgopt, tmp_path: Path, nested: bool) -> None:
    image = several(tmp_path / "l", nested=nested)
    run = imgopt("gate", image, "--max-size", "1.6MB", "--format", "json")
    found = judged(run)
    assert run.code == 1 and list(found) == ["linux/amd64", "linux/arm64"]
    assert found["linux/amd64"]["max-size"]["actual"] == size(BASE, AMD)
    assert found["linux/arm64"]["max-size"]["actual"] == size(BASE, ARM)
    assert [each["passed"] for each in run.json["targets"]] == [True, False]
    for format in ("text", "markdown", "html", "junit", "sarif", "github", "gitlab"):
        said = imgopt("gate", image, "--max-size", "1.6MB", "--format", format)
        assert said.code == 1 and "linux/arm64" in said.text, format
    assert imgopt("gate", image, "--max-size", "1.6MB", "--platform", "linux/amd64").code == 0
    narrowed = imgopt("gate", image, "--max-size", "1.6MB", "--platform", "arm64", "--format", "json")
    assert narrowed.code == 1 and list(judged(narrowed)) == ["linux/arm64"]
    assert imgopt("gate", image, "--max-size", "1.6MB", "--platform", "linux/s390x").code == 2


def test_what_one_platform_hides_is_found(imgopt: Imgopt, tmp_path: Path) -> None:
    image = several(tmp_path / "l", JDK)
    run = imgopt("gate", image, "--forbid", "jdk", "--format", "json")
    assert run.code == 1 and judged(run)["linux/arm64"]["forbid"]["actual"] == ["jdk"]


def test_a_first_push_is_the_union_of_the_blobs(imgopt: Imgopt, tmp_path: Path) -> None:
    image = several(tmp_path / "l")
    found = judged(imgopt("gate", image, "--max-first-push", "9MB", "--format", "json"))
    for each in found.values():
        assert each["max-first-push"]["actual"] == size(BASE, AMD, ARM)
        assert "on the first push of 2 platforms" in each["max-first-push"]["message"]
    narrowed = judged(
        imgopt("gate", image, "--max-first-push", "9MB", "--platform", "linux/arm64", "--format", "json")
    )
    assert narrowed["linux/arm64"]["max-first-push"]["actual"] == size(BASE, ARM)


def test_attestations_are_no_platform_and_are_pushed(imgopt: Imgopt, tmp_path: Path) -> None:
    image = several(tmp_path / "l", attested=True)
    run = imgopt("gate", image, "--max-size", "2MB", "--max-first-push", "9MB", "--format", "json")
    found = judged(run)
    assert run.code == 0 and list(found) == ["linux/amd64", "linux/arm64"]
    first = found["linux/amd64"]["max-first-push"]
    assert first["actual"] == size(BASE, AMD, ARM) + len(PROVENANCE)
    assert first["details"] == ["attestations: 0.300 MB"]
    # its bytes are not there: what a push sends is not known
    for blob in (tmp_path / "l/blobs/sha256").iterdir():
        if b"in-toto" in blob.read_bytes()[:2000]:
            blob.unlink()
    assert imgopt("gate", image, "--max-first-push", "9MB").code == 3


def test_a_platform_that_is_called_an_attestation_is_judged(imgopt: Imgopt, tmp_path: Path) -> None:
    layout = Layout()
    note = {"vnd.docker.reference.type": "attestation-manifest"}
    entries = [layout.image([AMD], "amd64"), {**layout.image([ARM, JDK], "arm64"), "annotations": note}]
    layout.top = [layout.index(entries)]
    run = imgopt("gate", layout.write(tmp_path / "l"), "--forbid", "jdk", "--format", "json")
    assert run.code == 1 and list(judged(run)) == ["linux/amd64", "linux/arm64"]


def image(
    layout: Layout,
    user: str,
    platform: dict[str, str] | None,
    *,
    artifact: bool = False,
    system: str = "linux",
    architecture: str = "amd64",
    **more: Any,
) -> dict[str, Any]:
    """An image that is told from others by its user, or what `oras push` makes of a file."""
    config = json.loads(config_of([AMD], architecture, User=user)) | {"os": system}
    kind = "application/vnd.unknown.config.v1+json" if artifact else OCI_CONFIG
    layers = [layout.add(packed(AMD), f"{OCI_LAYER}+gzip")]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": layout.add(b"{}" if artifact else json.dumps(config).encode(), kind),
        "layers": layers,
    }
    more |= {"platform": platform} if platform is not None else {}
    return layout.add(json.dumps(manifest).encode(), OCI_MANIFEST, **more)


def on(architecture: str, system: str = "linux", **more: str) -> dict[str, str]:
    return {"os": system, "architecture": architecture, **more}


ATTESTED = {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}


@pytest.mark.parametrize(
    ("platform", "more", "shown"),
    [
        (on("amd64", variant="unknown"), {}, "linux/amd64/unknown"),
        (on("amd64", variant="unknown"), ATTESTED, "linux/amd64/unknown"),
        (on("amd64", **{"os.version": "unknown"}), {}, "linux(unknown)/amd64"),
        (on("unknown"), {}, "linux/unknown"),
        (on("unknown", "unknown"), ATTESTED, "unknown/unknown"),
        (None, ATTESTED, "linux/amd64"),
        (None, {**ATTESTED, "artifactType": "application/spdx+json"}, "linux/amd64"),
    ],
)
def test_an_index_hides_no_image(
    imgopt: Imgopt, tmp_path: Path, platform: dict[str, str] | None, more: dict[str, Any], shown: str
) -> None:
    layout = Layout()
    good = image(layout, "1000", on("arm64"), architecture="arm64")
    layout.top = [layout.index([good, image(layout, "0", platform, **more)])]
    run = imgopt("gate", layout.write(tmp_path / "l"), "--forbid", "root-user", "--format", "json")
    assert run.code == 1 and list(judged(run)) == ["linux/arm64", shown], run.text


def sbom(layout: Layout, of: dict[str, Any]) -> dict[str, Any]:
    """As OCI 1.1 has an artifact that refers to an image."""
    kind = "application/spdx+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": layout.add(b"{}", "application/vnd.oci.empty.v1+json"),
        "layers": [layout.add(PROVENANCE, kind)],
        "subject": {each: of[each] for each in ("mediaType", "digest", "size")},
    }
    return layout.add(json.dumps(manifest).encode(), OCI_MANIFEST, artifactType=kind)


def signature(layout: Layout, of: dict[str, Any]) -> dict[str, Any]:
    """As cosign writes it: the config is of an image's type, and names no platform."""
    config = {"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": layout.add(json.dumps(config).encode(), OCI_CONFIG),
        "layers": [layout.add(PROVENANCE, "application/vnd.dev.cosign.simplesigning.v1+json")],
    }
    return layout.add(json.dumps(manifest).encode(), OCI_MANIFEST)


def pushed_file(layout: Layout, _: dict[str, Any]) -> dict[str, Any]:
    return image(layout, "", None, artifact=True)


@pytest.mark.parametrize("beside", [sbom, signature, pushed_file])
@pytest.mark.parametrize("nested", [True, False])
def test_what_is_no_image_beside_one_is_no_platform(
    imgopt: Imgopt, tmp_path: Path, beside: Any, nested: bool
) -> None:
    layout = Layout()
    one = image(layout, "1000", on("amd64"))
    entries = [one, beside(layout, one)]
    layout.top = [layout.index(entries)] if nested else entries
    where = layout.write(tmp_path / "l")
    run = imgopt("gate", where, "--forbid", "root-user", "--max-size", "9MB", "--format", "json")
    assert run.code == 0 and list(judged(run)) == ["linux/amd64"], run.text + run.err
    assert imgopt("inspect", where).code == 0


def test_a_chart_alone_is_no_image(imgopt: Imgopt, tmp_path: Path) -> None:
    layout = Layout()
    layout.top = [pushed_file(layout, {})]
    run = imgopt("gate", layout.write(tmp_path / "l"), "--max-size", "9MB")
    assert run.code == 2 and "not that of an image to run" in run.err


def test_versions_of_a_system_are_platforms(imgopt: Imgopt, tmp_path: Path) -> None:
    layout = Layout()
    versions = [on("amd64", "windows", **{"os.version": version}) for version in ("10.0.17763", "10.0.20348")]
    entries = [image(layout, f"user{number}", each, system="windows") for number, each in enumerate(versions)]
    layout.top = [layout.index([image(layout, "1000", on("amd64")), *entries])]
    where = layout.write(tmp_path / "l")
    names = ["linux/amd64", "windows(10.0.17763)/amd64", "windows(10.0.20348)/amd64"]
    run = imgopt("gate", where, "--max-size", "9MB", "--format", "json")
    assert run.code == 0 and list(judged(run)) == names
    for name in names[:2]:
        run = imgopt("gate", where, "--max-size", "9MB", "--platform", name, "--format", "json")
        assert run.code == 0 and list(judged(run)) == [name]
    run = imgopt("gate", where, "--max-size", "9MB", "--platform", "windows/amd64")
    assert run.code == 2 and names[1] in run.err and names[2] in run.err


def test_the_very_platform_wins_over_its_variants(imgopt: Imgopt, tmp_path: Path) -> None:
    layout = Layout()
    entries = [image(layout, "1000", on("amd64")), image(layout, "0", on("amd64", variant="v3"))]
    layout.top = [layout.index(entries)]
    where = layout.write(tmp_path / "l")
    assert imgopt("gate", where, "--forbid", "root-user").code == 1
    assert imgopt("gate", where, "--forbid", "root-user", "--platform", "linux/amd64").code == 0
    assert imgopt("gate", where, "--forbid", "root-user", "--platform", "linux/amd64/v3").code == 1


def test_two_images_of_one_platform_are_not_one(imgopt: Imgopt, tmp_path: Path) -> None:
    layout = Layout()
    layout.top = [
        layout.image([AMD], "amd64"),
        layout.image([ARM, JDK], "arm64"),
        layout.image([ARM], "arm64"),
    ]
    run = imgopt("gate", layout.write(tmp_path / "l"), "--max-size", "9MB")
    assert run.code == 2 and "it holds 3 images" in run.err


@pytest.mark.parametrize("kind", [None, "application/vnd.docker.distribution.manifest.v1+prettyjws"])
def test_a_platform_of_an_unknown_type_is_not_passed_over(
    imgopt: Imgopt, tmp_path: Path, kind: str | None
) -> None:
    layout = Layout()
    arm = {**layout.image([ARM, JDK], "arm64"), "mediaType": kind}
    if kind is None:
        del arm["mediaType"]
    layout.top = [layout.image([AMD], "amd64"), arm]
    image = layout.write(tmp_path / "l")
    run = imgopt("gate", image, "--forbid", "jdk")
    assert run.code == 2 and "what it names for linux/arm64 is not an image's manifest" in run.err
    assert imgopt("gate", image, "--forbid", "jdk", "--platform", "linux/amd64").code == 0


def test_an_archive_with_two_indexes_is_no_image(imgopt: Imgopt, tmp_path: Path) -> None:
    layout = Layout()
    layout.top = [layout.image([AMD])]
    files = [*layout.everything().items(), ("index.json", b'{"manifests": []}')]
    (tmp_path / "i.tar").write_bytes(layer(files))
    run = imgopt("gate", tmp_path / "i.tar", "--forbid", "jdk")
    assert run.code == 2 and "index.json is in it twice" in run.err


def test_indexes_that_are_nested_too_deeply_are_an_error(imgopt: Imgopt, tmp_path: Path) -> None:
    layout = Layout()
    inner = layout.image([ARM, JDK], "arm64")
    for _ in range(6):
        inner = layout.index([inner])
    layout.top = [layout.image([AMD], "amd64"), inner]
    run = imgopt("gate", layout.write(tmp_path / "l"), "--forbid", "jdk")
    assert run.code == 2 and "nested too deeply" in run.err


def test_a_platform_that_is_not_there_is_named(imgopt: Imgopt, tmp_path: Path) -> None:
    """As the containerd image store saves an image of which it pulled one platform."""
    image = several(tmp_path / "l")
    for blob in (image / "blobs/sha256").iterdir():
        data = blob.read_bytes()
        if b'"layers"' in data and digest(packed(ARM)).encode() in data:
            blob.unlink()
    run = imgopt("gate", image, "--max-size", "9MB", "--format", "json")
    (target,) = run.json["targets"]
    assert run.code == 0 and target["platform"] == "linux/amd64"
    assert target["notes"] == ["its index names linux/arm64 too, which is not there and was not looked at"]


def test_each_platform_has_its_own_baseline(imgopt: Imgopt, tmp_path: Path) -> None:
    image = several(tmp_path / "l")
    assert imgopt("gate", f"api={image}", "--baseline", "b.json", "--update-baseline").code == 0
    entries = json.loads(Path("b.json").read_text())["images"]
    assert {name: each["platform"] for name, each in entries.items()} == {
        "api (linux/amd64)": "linux/amd64", "api (linux/arm64)": "linux/arm64",
    }  # fmt: skip
    grown = several(tmp_path / "grown", layer({"x": random.Random(9).randbytes(1_500_000)}))
    arguments = ["gate", f"api={grown}", "--baseline", "b.json", "--max-next-push", "2MB", "--format", "json"]
    run = imgopt(*arguments)
    found = judged(run)
    assert run.code == 1 and found["linux/amd64"]["max-growth"]["passed"]
    assert found["linux/arm64"]["max-growth"]["passed"] is False
    assert (
        found["linux/amd64"]["max-next-push"]["actual"]
        == found["linux/arm64"]["max-next-push"]["actual"]
        > 1e6
    )
    narrowed = imgopt(*arguments, "--platform", "linux/amd64")
    assert narrowed.code == 0 and judged(narrowed)["linux/amd64"]["max-next-push"]["actual"] == 0
    accepted = imgopt("gate", f"api={grown}", "--baseline", "b.json", "--accept", "api", "--reason", "x")
    assert accepted.code == 0, accepted.text


def test_a_baseline_of_another_platform_is_none(imgopt: Imgopt, tmp_path: Path) -> None:
    layout = Layout()
    layout.top = [layout.image([BASE, AMD], "amd64")]
    imgopt("gate", f"api={layout.write(tmp_path / 'amd')}", "--baseline", "b.json", "--update-baseline")
    layout = Layout()
    layout.top = [layout.image([BASE, ARM], "arm64")]
    run = imgopt("gate", f"api={layout.write(tmp_path / 'arm')}", "--baseline", "b.json")
    assert run.code == 3
    assert "b.json has no entry of api (linux/arm64)" in " ".join(run.text.split())


# one blob is sent once


def test_the_same_layer_three_times_is_sent_once(imgopt: Imgopt, tmp_path: Path) -> None:
    start = {"Entrypoint": ["java", "-cp", "/app/classes", "A"]}
    one = layer({"app/classes/a.bin": random.Random(5).randbytes(400_000)})
    for compressed in (True, False):
        image = sample(tmp_path / "i.tar", [BASE, one, one, one], compressed=compressed, **start)
        arguments = ["gate", image, "--max-size", "9MB", "--max-first-push", "9MB", "--max-next-push", "9MB"]
        (found,) = judged(imgopt(*arguments, "--format", "json")).values()
        assert found["max-next-push"]["actual"] == pytest.approx(400_000, rel=0.02)
        assert found["max-first-push"]["actual"] == pytest.approx(1_400_000, rel=0.02)
        assert found["max-size"]["actual"] == pytest.approx(2_200_000, rel=0.02)


def test_a_new_layer_that_occurs_twice_is_sent_once(imgopt: Imgopt, tmp_path: Path) -> None:
    imgopt("gate", sample(tmp_path / "i.tar", [BASE]), "--baseline", "b.json", "--update-baseline")
    image = sample(tmp_path / "i.tar", [BASE, AMD, AMD])
    arguments = ["--baseline", "b.json", "--max-growth", "9MB", "--max-next-push", "9MB", "--format", "json"]
    (found,) = judged(imgopt("gate", image, *arguments)).values()
    assert found["max-next-push"]["actual"] == pytest.approx(500_000, rel=0.02)


# sparse files and hard links


def sparse(kind: str, length: int) -> bytes:
    """A file of which 512 bytes are stored, as GNU tar writes it."""
    data = b"x" * 512
    if kind == "gnu":
        entry = tarfile.TarInfo("var/sparse.db")
        entry.type, entry.size = tarfile.GNUTYPE_SPARSE, 512
        header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
        header[386:410] = b"%011o\0%011o\0" % (0, 512)
        header[483:495] = b"%011o\0" % length
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        return bytes(header) + data + bytes(1024)
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("GNUSparseFile.0/sparse.db")
        entry.pax_headers = {
            "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "var/sparse.db",
            "GNU.sparse.realsize": str(length),
        } if kind == "pax 1.0" else {"GNU.sparse.size": str(length), "GNU.sparse.numblocks": "1"}  # fmt: skip
        content = (b"1\n0\n512\n".ljust(512, b"\0") if kind == "pax 1.0" else b"") + data
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return output.getvalue()


@pytest.mark.parametrize("kind", ["gnu", "pax 1.0", "pax 0.1"])
def test_a_sparse_file_counts_with_its_length(imgopt: Imgopt, tmp_path: Path, kind: str) -> None:
    image = sample(tmp_path / "i.tar", [sparse(kind, 500_000_000)])
    (found,) = judged(imgopt("gate", image, "--max-unpacked", "1MB", "--format", "json")).values()
    assert found["max-unpacked"]["passed"] is False
    assert found["max-unpacked"]["actual"] == pytest.approx(500_000_000, rel=0.001)
    again = sample(tmp_path / "i.tar", [sparse(kind, 500_000_000), layer({"var/.wh.sparse.db": b""}), BASE])
    if kind != "pax 0.1":  # there the name is another
        assert imgopt("gate", again, "--max-waste", "5%").code == 1


def test_hard_links_count_once(imgopt: Imgopt, tmp_path: Path) -> None:
    files = {"a": random.Random(1).randbytes(1_000_000), "b": link("a"), "c": link("a")}
    image = sample(tmp_path / "i.tar", [layer(files)])
    (found,) = judged(imgopt("gate", image, "--max-unpacked", "1.1MB", "--format", "json")).values()
    assert found["max-unpacked"]["passed"] is True


# two documents that name the image


def both(first: list[bytes], second: list[bytes]) -> bytes:
    """index.json of the first, manifest.json of the second."""
    layout = Layout()
    layout.top = [layout.image(first)]
    config = config_of(second)
    manifest = [
        {
            "Config": f"blobs/sha256/{digest(config)[7:]}",
            "RepoTags": ["shop/api:7"],
            "Layers": [f"blobs/sha256/{digest(packed(each))[7:]}" for each in second],
        }
    ]
    for data in (config, *map(packed, second)):
        layout.files[f"blobs/sha256/{digest(data)[7:]}"] = data
    return tar_of({**layout.everything(), "manifest.json": json.dumps(manifest).encode()})


def test_an_archive_whose_documents_disagree_is_not_measured(imgopt: Imgopt, tmp_path: Path) -> None:
    image = tmp_path / "i.tar"
    image.write_bytes(both([BASE, AMD], [BASE, AMD]))
    assert imgopt("gate", image, "--max-size", "9MB").code == 0
    image.write_bytes(both([BASE], [BASE, JDK]))
    run = imgopt("gate", image, "--forbid", "jdk")
    assert run.code == 3 and "manifest.json names the image sha256:" in run.err
    layout = Layout()
    layout.top = [layout.image([BASE])]
    config = config_of([BASE])
    manifest = [{"Config": f"blobs/sha256/{digest(config)[7:]}", "RepoTags": [], "Layers": ["other.tar"]}]
    # the same config, another layer
    data = tar_of(
        {**layout.everything(), "other.tar": packed(JDK), "manifest.json": json.dumps(manifest).encode()}
    )
    image.write_bytes(data)
    run = imgopt("gate", image, "--forbid", "jdk")
    assert run.code == 3 and "layer 1 is other.tar in manifest.json" in run.err


def test_a_docker_archive_of_several_platforms(imgopt: Imgopt, tmp_path: Path) -> None:
    files, entries = {}, []
    for architecture, layers in (("amd64", [BASE, AMD]), ("arm64", [BASE, ARM])):
        config = config_of(layers, architecture)
        files[f"{architecture}.json"] = config
        names = [f"{digest(each)[7:]}.tar" for each in layers]
        files |= dict(zip(names, layers, strict=True))
        entries.append({"Config": f"{architecture}.json", "RepoTags": ["shop/api:7"], "Layers": names})
    image = tmp_path / "i.tar"
    image.write_bytes(tar_of({**files, "manifest.json": json.dumps(entries).encode()}))
    run = imgopt("gate", image, "--max-first-push", "9MB", "--format", "json")
    assert list(judged(run)) == ["linux/amd64", "linux/arm64"]
    assert judged(run)["linux/arm64"]["max-first-push"]["actual"] == pytest.approx(2_400_000, rel=0.02)


# what is predicted


@pytest.fixture
def predicted(tmp_path: Path) -> Path:
    """On a base with 209.4 MB for arm64 and 211.7 MB for amd64, by the catalogue."""
    file = tmp_path / "Dockerfile"
    file.write_text('FROM amazoncorretto:17\nCMD ["java", "-version"]\n')
    return file


@pytest.mark.parametrize("order", ["linux/arm64,linux/amd64", "linux/amd64,linux/arm64"])
@pytest.mark.parametrize(("budget", "code"), [("210.5MB", 1), ("212MB", 0), ("209MB", 1)])
def test_a_predicted_image_is_judged_for_each_platform(
    order: str, budget: str, code: int, imgopt: Imgopt, predicted: Path
) -> None:
    run = imgopt(
        "gate", "--predict", predicted, "--platform", order, "--max-size", budget, "--format", "json"
    )
    assert run.code == code, run.text
    (size_,) = [each for each in run.json["targets"][0]["budgets"] if each["name"] == "max-size"]
    assert size_["message"].startswith("linux/amd64: 211.7 MB")
    assert imgopt("gate", "--predict", predicted, "--platform", "arm64", "--max-size", "210.5MB").code == 0


def test_a_platform_whose_size_is_not_known_is_no_pass(imgopt: Imgopt, predicted: Path) -> None:
    predicted.write_text('FROM eclipse-temurin:17-jre\nCMD ["java", "-version"]\n')
    arguments = ("gate", "--predict", predicted, "--max-size", "300MB", "--platform")
    assert imgopt(*arguments, "linux/amd64").code == 0
    run = imgopt(*arguments, "linux/amd64,linux/arm64")
    assert run.code == 3 and "linux/arm64: how much it is compressed is not known" in run.text
