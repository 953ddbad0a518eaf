"""`imgopt push` against a real registry: only what is missing travels, whoever pushed the release before."""

from __future__ import annotations

import hashlib
import json
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from image_archives import Layout, tar_of
from private_docker import Engine
from push_command import Command
from registries import Proxy, Registry, Trouble

Release = Callable[..., Path]
ACCEPT = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


def pulled(registry: str, repository: str, tag: str) -> dict[str, Any]:
    """The image as the registry has it, every blob read and checked."""
    url = f"http://{registry}/v2/{repository}"
    request = urllib.request.Request(f"{url}/manifests/{tag}", headers={"Accept": ACCEPT})
    with urllib.request.urlopen(request) as response:
        data = response.read()
    manifest: dict[str, Any] = json.loads(data)
    for blob in (manifest["config"], *manifest["layers"]):
        with urllib.request.urlopen(f"{url}/blobs/{blob['digest']}") as response:
            content = response.read()
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == blob["digest"]
        assert len(content) == blob["size"]
    return {**manifest, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}"}


def skopeo(source: str, target: str) -> None:
    command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", source, target]
    subprocess.run(command, check=True)


def first_release(
    how: str, archive: Path, registry: str, repository: str, imgopt: Command, tmp: Path
) -> None:
    """Release 1 reaches the registry by another tool, whose gzip is not ours."""
    target = f"{registry}/{repository}:1"
    if how == "imgopt":
        assert imgopt("push", str(archive), target).code == 0
    elif how == "skopeo":
        skopeo(f"docker-archive:{archive}", f"docker://{target}")
    elif how == "skopeo-oci":
        skopeo(f"docker-archive:{archive}", f"oci:{tmp}/layout:1")
        skopeo(f"oci:{tmp}/layout:1", f"docker://{target}")
    elif how == "buildah":
        storage = ["--root", str(tmp / "storage"), "--runroot", str(tmp / "run"), "--storage-driver", "vfs"]
        pull = ["buildah", *storage, "pull", "--quiet", f"docker-archive:{archive}"]
        name = subprocess.run(pull, check=True, capture_output=True, text=True).stdout.strip()
        push = ["buildah", *storage, "push", "--quiet", "--tls-verify=false", name, f"docker://{target}"]
        subprocess.run(push, check=True, capture_output=True)


OTHERS = ["skopeo", "skopeo-oci", "buildah"]


@pytest.mark.parametrize(
    ("how", "option"),
    [("imgopt", []), *((how, [option]) for option in ("--verify", "--trust-tags") for how in OTHERS)],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_the_next_release_sends_only_what_is_new(
    how: str,
    option: list[str],
    release: Release,
    imgopt: Command,
    proxy: Proxy,
    shared_registry: Registry,
    repository: str,
    tmp_path: Path,
) -> None:
    first_release(how, release(1), shared_registry.name, repository, imgopt, tmp_path)
    run = imgopt("push", str(release(2)), f"{proxy.name}/{repository}:2", "--format", "json", *option)
    assert run.code == 0, run.err
    assert [layer["how"] for layer in run.push["layers"]] == ["present", "present", "sent"]
    assert 3000 < proxy.sent() < 8000  # the class, the config and the manifest, counted on the wire
    assert run.push["sent_bytes"] < 5000
    assert pulled(shared_registry.name, repository, "2")["digest"] == run.push["digest"]


@pytest.mark.parametrize("how", OTHERS)
def test_the_first_push_after_another_tool_sends_all_layers_once(
    how: str,
    release: Release,
    imgopt: Command,
    proxy: Proxy,
    shared_registry: Registry,
    repository: str,
    tmp_path: Path,
) -> None:
    """The other tool's gzip is not ours: only its tags could tell, and they are not believed. It says so, once."""
    size = 2_400_000
    first_release(how, release(1, size), shared_registry.name, repository, imgopt, tmp_path)
    run = imgopt("push", str(release(2, size)), f"{proxy.name}/{repository}:2", "--format", "json")
    assert run.code == 0, run.err
    assert [layer["how"] for layer in run.push["layers"]] == ["sent", "sent", "sent"]
    (note,) = run.push["notes"]
    assert note.startswith(f"{repository}:1 names another blob for layer 1 (2.40 MB), which another tool")
    assert "sent, once" in note and "--verify" in note and note in run.err
    before = proxy.sent()
    run = imgopt("push", str(release(3, size)), f"{proxy.name}/{repository}:3", "--format", "json")
    assert [layer["how"] for layer in run.push["layers"]] == ["present", "present", "sent"], run.err
    assert 3000 < proxy.sent() - before < 8000 and run.push["notes"] == []


@pytest.mark.parametrize("how", ["imgopt", "docker"])
def test_a_daemon_s_image(
    how: str,
    engine: Engine,
    imgopt: Command,
    proxy: Proxy,
    shared_registry: Registry,
    repository: str,
    tmp_path: Path,
) -> None:
    """Built by a real engine; release 1 pushed by it too: the blobs of its gzip are read and compared."""
    target = f"{shared_registry.name}/{repository}"
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY lib /lib\nCOPY app /app\nCMD ["/app"]\n')
    (tmp_path / "lib").write_bytes(hashlib.sha256(repository.encode()).digest() * 30_000)
    for number in (1, 2):
        (tmp_path / "app").write_text(f"release {number} {repository}")
        engine.build(tmp_path, f"{target}:{number}")
    imgopt.environment.update(engine.environment)
    if how == "docker":
        for line in engine.client.api.push(target, tag="1", stream=True, decode=True):
            assert "error" not in line, line
    else:
        assert imgopt("push", f"{target}:1", f"{target}:1").code == 0
    option = ["--verify"] if how == "docker" else []
    run = imgopt("push", f"docker:{target}:2", f"{proxy.name}/{repository}:2", "--format", "json", *option)
    assert run.code == 0, run.err
    assert [layer["how"] for layer in run.push["layers"]] == ["present", "sent"]
    assert proxy.sent() < 5000
    engine.client.images.remove(f"{target}:2")
    engine.client.images.pull(target, tag="2")
    assert (
        engine.client.images.get(f"{target}:2").id
        == pulled(shared_registry.name, repository, "2")["config"]["digest"]
    )


def test_a_second_push_sends_nothing(
    release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    assert imgopt("push", str(release(1)), f"{proxy.name}/{repository}:1").code == 0
    manifest = pulled(proxy.name, repository, "1")["digest"]
    before = proxy.sent("PATCH") + proxy.sent("POST")
    run = imgopt("push", str(release(1)), f"{proxy.name}/{repository}:1")
    assert "sent 0 MB of" in run.out
    assert proxy.sent("PATCH") + proxy.sent("POST") == before
    assert pulled(proxy.name, repository, "1")["digest"] == manifest


def test_an_oci_layout_keeps_its_manifest(
    imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """What BuildKit writes: its own blobs go as they are, and so does the manifest, whose digest others know."""
    layout = Layout()
    layout.top = [layout.image([tar_of({"a": b"x" * 200_000}), tar_of({"b": b"y"})], suffix="+zstd")]
    run = imgopt(
        "push", str(layout.write(tmp_path / "layout")), f"{proxy.name}/{repository}:1", "--format", "json"
    )
    assert run.code == 0, run.err
    assert run.push["digest"] == layout.top[0]["digest"] == pulled(proxy.name, repository, "1")["digest"]


def test_kaniko_s_tar(imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path) -> None:
    from image_archives import docker_archive, packed

    layers = [tar_of({"a": b"x" * 200_000}), tar_of({"b": b"y"})]
    archive = tmp_path / "kaniko.tar"
    archive.write_bytes(
        docker_archive({"a.tar.gz": packed(layers[0]), "b.tar.gz": packed(layers[1])}, layers)
    )
    assert imgopt("push", str(archive), f"{proxy.name}/{repository}:1").code == 0
    blobs = [layer["digest"] for layer in pulled(proxy.name, repository, "1")["layers"]]
    assert blobs == [f"sha256:{hashlib.sha256(packed(each)).hexdigest()}" for each in layers]


def test_another_repository_s_layers_are_mounted(
    release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    assert imgopt("push", str(release(1)), f"{proxy.name}/{repository}:1").code == 0
    before = proxy.sent()
    target = f"{proxy.name}/{repository}-other:1"
    run = imgopt("push", str(release(2)), target, "--mount-from", repository, "--format", "json")
    assert run.code == 0, run.err
    assert [layer["how"] for layer in run.push["layers"]] == ["mounted", "mounted", "sent"]
    assert proxy.sent() - before < 8000
    pulled(proxy.name, f"{repository}-other", "1")


@pytest.mark.parametrize("option", ["--verify", "--trust-tags"])
def test_a_tag_that_is_named_is_looked_at(
    option: str,
    release: Release,
    imgopt: Command,
    proxy: Proxy,
    shared_registry: Registry,
    repository: str,
    tmp_path: Path,
) -> None:
    """Among many tags only a handful is looked at; --known names another."""
    skopeo(f"docker-archive:{release(1)}", f"docker://{shared_registry.name}/{repository}:0-old")
    for number in range(6):
        other = str(release(100 + number, size=2000, seed=number))
        assert imgopt("push", other, f"{proxy.name}/{repository}:{number + 1}.0").code == 0
    arguments = ("push", str(release(2)), f"{proxy.name}/{repository}:2", "--format", "json", option)
    run = imgopt(*arguments, "--known", "0-old")
    assert [layer["how"] for layer in run.push["layers"]] == ["present", "present", "sent"]


def test_layers_may_go_in_parallel(release: Release, imgopt: Command, proxy: Proxy, repository: str) -> None:
    run = imgopt("push", str(release(1, size=3_000_000)), f"{proxy.name}/{repository}:1", "--parallel", "3")
    assert run.code == 0, run.err
    pulled(proxy.name, repository, "1")


def test_a_repeated_layer_is_sent_once(
    imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    from image_archives import docker_archive

    layer = tar_of({"a": hashlib.sha256(b"a").digest() * 10_000})
    archive = tmp_path / "twice.tar"
    archive.write_bytes(docker_archive({"1/layer.tar": layer, "2/layer.tar": layer}, [layer, layer]))
    run = imgopt("push", str(archive), f"{proxy.name}/{repository}:1", "--format", "json")
    assert [each["how"] for each in run.push["layers"]] == ["sent", "present"], run.err
    assert len(pulled(proxy.name, repository, "1")["layers"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.tar", "127.0.0.1:1/a:1"], "there is no such file"),
        (["image.tar", "127.0.0.1:1/UPPER:1"], "is not an image reference"),
        (["image.tar", "127.0.0.1:1/a@sha256:" + "0" * 64], "names a digest"),
        (["image.tar", "127.0.0.1:1/a:1", "--parallel", "0"], "--parallel 0 makes no sense"),
        (["image.tar", "127.0.0.1:1/a:1", "--chunk-size", "5"], "is not a size"),
        (["image.tar", "127.0.0.1:1/a:1", "--chunk-size", "5kB"], "too small"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, imgopt: Command) -> None:
    (imgopt.home / "image.tar").write_bytes(b"garbage" * 200)
    run = imgopt("push", *arguments)
    assert (run.code, run.out) == (2, "")
    assert message in run.err and run.err.count("\n") == 1


def test_markdown_and_one_line(release: Release, imgopt: Command, proxy: Proxy, repository: str) -> None:
    target = f"{proxy.name}/{repository}:1"
    run = imgopt("push", str(release(1)), target, "--format", "markdown")
    assert run.out.startswith("<!-- imgopt: push -->") and "| 3 | `COPY 2` |" in run.out
    run = imgopt("push", str(release(1)), target, "--quiet")
    assert run.out.strip() == f"{target}@{pulled(proxy.name, repository, '1')['digest']}"
    assert run.err == ""


def test_an_image_can_be_removed_unless_another_tag_names_it(
    release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    from imgopt.registry.push import delete_tag

    for tag in ("1", "same"):
        assert imgopt("push", str(release(1)), f"{proxy.name}/{repository}:{tag}").code == 0
    assert delete_tag(f"{proxy.name}/{repository}:1") is False
    assert imgopt("push", str(release(2)), f"{proxy.name}/{repository}:2").code == 0
    assert delete_tag(f"{proxy.name}/{repository}:2") is True
    pulled(proxy.name, repository, "1")
    with pytest.raises(urllib.error.HTTPError):
        pulled(proxy.name, repository, "2")


def test_an_image_stays_when_its_other_tags_cannot_be_seen(
    release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    """Removing it by its digest would remove them with it."""
    from imgopt.registry.push import delete_tag

    for tag in ("mine", "theirs"):
        assert imgopt("push", str(release(1)), f"{proxy.name}/{repository}:{tag}").code == 0
    proxy.troubles = [Trouble("GET", "/tags/", times=None, status=403)]
    assert delete_tag(f"{proxy.name}/{repository}:mine") is False
    pulled(proxy.name, repository, "theirs")


NEXT = '<?n=1000&last=mine>; rel="next"'
MINE = b'{"tags": ["mine"]}'


@pytest.mark.parametrize(
    ("link", "first", "second"),
    [
        (NEXT, MINE, Trouble("GET", "last=", times=None, status=403)),
        (NEXT, MINE, Trouble("GET", "last=", times=None, status=404)),
        (
            NEXT,
            MINE,
            Trouble("GET", "last=", times=None, status=200, body=b'{"tags": []}', headers={"Link": NEXT}),
        ),
        (NEXT, MINE, Trouble("GET", "last=", times=None, status=200, body=b'{"tags": ["a", 1]}')),
        (NEXT, MINE, Trouble("GET", "last=", times=None, status=200, body=b'{"tags": "theirs"}')),
        (
            NEXT,
            MINE,
            Trouble(
                "GET", "last=", times=None, status=200, body=b'{"tags": ["mine"]}', headers={"Link": NEXT}
            ),
        ),
        ('<http://[>; rel="next"', MINE, None),
        ("<?n=1000&last=mine>; rel='next'", MINE, None),
        (NEXT, b'{"tags": ["mine", null]}', None),
    ],
    ids=["forbidden", "gone", "empty", "numbers", "text", "circle", "no address", "single quotes", "null"],
)
def test_an_image_stays_when_not_all_tags_were_named(
    link: str,
    first: bytes,
    second: Trouble | None,
    release: Release,
    imgopt: Command,
    proxy: Proxy,
    repository: str,
) -> None:
    """A page of them says nothing about those that come after it."""
    from imgopt.registry.push import delete_tag

    for tag in ("mine", "theirs"):
        assert imgopt("push", str(release(1)), f"{proxy.name}/{repository}:{tag}").code == 0
    page = Trouble("GET", "/tags/list?n=1000", status=200, headers={"Link": link}, body=first)
    proxy.troubles = [page, *([second] if second else [])]
    assert delete_tag(f"{proxy.name}/{repository}:mine") is False
    proxy.troubles = []
    pulled(proxy.name, repository, "theirs")


def test_an_image_stays_that_an_index_names(
    release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    from imgopt.registry.push import delete_tag

    kinds = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
    assert imgopt("push", str(release(1)), f"{proxy.name}/{repository}:mine").code == 0
    with urllib.request.urlopen(
        urllib.request.Request(
            f"http://{proxy.name}/v2/{repository}/manifests/mine",
            headers={"Accept": ", ".join((*kinds, "application/vnd.docker.distribution.manifest.v2+json"))},
        )
    ) as answer:
        data, kind = answer.read(), answer.headers["Content-Type"]
    entry = {"mediaType": kind, "size": len(data), "digest": f"sha256:{hashlib.sha256(data).hexdigest()}"}
    entry["platform"] = {"os": "linux", "architecture": "amd64"}
    index = json.dumps({"schemaVersion": 2, "mediaType": kinds[1], "manifests": [entry]}).encode()
    request("PUT", f"{proxy.name}/v2/{repository}/manifests/all", index, kinds[1])
    assert delete_tag(f"{proxy.name}/{repository}:mine") is False
    pulled(proxy.name, repository, "mine")


@pytest.mark.parametrize("config", [b"no JSON", b'{"rootfs": null}', b'{"rootfs": {"diff_ids": 3}}', b"[]"])
def test_a_repository_may_hold_other_things_than_images(
    config: bytes, release: Release, imgopt: Command, shared_registry: Registry, repository: str
) -> None:
    """Charts and other artifacts lie beside images, with whatever they call a config."""
    layout = Layout()
    entries = {
        "config": layout.add(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [layout.add(b"a chart", "application/x-chart")],
    }
    for data in (config, b"a chart"):
        start = request("POST", f"{shared_registry.name}/v2/{repository}/blobs/uploads/").headers["Location"]
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        request("PUT", f"{start}&digest={digest}".removeprefix("http://"), data)
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": media_type, **entries}).encode()
    request("PUT", f"{shared_registry.name}/v2/{repository}/manifests/chart", manifest, media_type)
    run = imgopt("push", str(release(1)), f"{shared_registry.name}/{repository}:1")
    assert run.code == 0, run.err
    pulled(shared_registry.name, repository, "1")


def request(method: str, url: str, data: bytes = b"", media_type: str = "application/octet-stream") -> Any:
    headers = {"Content-Type": media_type}
    with urllib.request.urlopen(
        urllib.request.Request(f"http://{url}", data=data, method=method, headers=headers)
    ) as response:
        return response


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_repository_that_is_closed_is_not_mounted_from(
    status: int, release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    """The base image's repository, say, which a label names: the push does without."""
    proxy.troubles = [
        Trouble(method, "/closed/base/", times=None, status=status) for method in ("HEAD", "GET")
    ]
    layout = Layout()
    layout.top = [layout.image([tar_of({"base": b"b" * 4000})])]
    image = layout.write(Path(release(1).parent / "layout"))
    run = imgopt(
        "push",
        str(image),
        f"{proxy.name}/{repository}:1",
        "--mount-from",
        "closed/base",
        "--tries",
        "2",
        "--format",
        "json",
    )
    assert run.code == 0, run.err
    assert [layer["how"] for layer in run.push["layers"]] == ["sent"]  # type: ignore[index, attr-defined]
    assert "nothing more is mounted from closed/base: " in str(run.push["notes"]) or status == 403
    pulled(proxy.name, repository, "1")
