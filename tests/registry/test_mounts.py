"""What another repository of the registry has is mounted, without a word from the user: and it costs nothing where that is
refused."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import registries
from conforming import Conforming, conforming
from image_archives import Layout, docker_archive, tar_of
from push_command import Command, Run
from registries import Proxy, Registry
from test_push import pulled

BASE_BYTES = 600_000
KINDS = ["docker-registry", "conforming"]


def images(directory: Path, count: int) -> list[Path]:
    """OCI layouts on one base; each with libraries that all have, and a class of its own."""
    noise = random.Random(3)
    base, libraries = (
        tar_of({"base": noise.randbytes(BASE_BYTES)}),
        tar_of({"lib": noise.randbytes(BASE_BYTES // 2)}),
    )
    found = []
    for number in range(count):
        layout = Layout()
        layout.top = [layout.image([base, libraries, tar_of({"app": b"module %d" % number})])]
        found.append(layout.write(directory / f"module-{number}"))
    return found


@contextmanager
def served(kind: str, shared: Registry, *, mounts: bool) -> Iterator[Proxy]:
    """A registry, and the proxy that counts before it."""
    if kind == "docker-registry":
        with registries.proxy(shared.port) as proxy:
            proxy.refuses_mounts = not mounts
            yield proxy
    else:
        with conforming(separate=True, mounts=mounts, page=100) as made, registries.proxy(made.port) as proxy:
            yield proxy


def pushed(imgopt: Command, layouts: list[Path], proxy: Proxy, repository: str, *more: str) -> list[Run]:
    found = []
    for number, layout in enumerate(layouts):
        run = imgopt("push", str(layout), f"{proxy.name}/{repository}-{number}:1", "--format", "json", *more)
        assert run.code == 0, run.err
        found.append(run)
    return found


def pushed_together(imgopt: Command, layouts: list[Path], proxy: Proxy, repository: str, *more: str) -> Run:
    lines = [f"{layout} {proxy.name}/{repository}-{n}:1" for n, layout in enumerate(layouts)]
    (imgopt.home / "push.txt").write_text("\n".join(lines))
    run = imgopt("push", "--all", "push.txt", "--format", "json", *more)
    assert run.code == 0, run.err
    return run


def hows(push: dict[str, Any]) -> list[str]:
    return [layer["how"] for layer in push["layers"]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["one by one", "together"])
def test_what_images_have_in_common_is_sent_once(
    way: str, kind: str, imgopt: Command, shared_registry: Registry, repository: str, tmp_path: Path
) -> None:
    """Three first pushes from a cache that is empty at the beginning, by the bytes that a proxy counts."""
    layouts = images(tmp_path, 3)
    with served(kind, shared_registry, mounts=True) as proxy:
        if way == "one by one":
            pushes = [dict(run.push) for run in pushed(imgopt, layouts, proxy, repository)]
        else:
            run = pushed_together(imgopt, layouts, proxy, repository)
            pushes = run.pushes
            total = run.document["total"]
            assert total["mounted_from"].keys() <= {f"{repository}-0", f"{repository}-1"}
            assert sum(total["mounted_from"].values()) == total["mounted_bytes"] > 2 * BASE_BYTES
        assert hows(pushes[0]) == ["sent", "sent", "sent"]
        for push in pushes[1:]:
            assert hows(push) == ["mounted", "mounted", "sent"]
            assert push["layers"][0]["mounted_from"].startswith(f"{repository}-")
        assert BASE_BYTES * 1.5 < proxy.sent() < BASE_BYTES * 1.5 + 20_000
        for number in range(3):
            pulled(proxy.name, f"{repository}-{number}", "1")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["one by one", "together"])
def test_a_refusal_costs_nothing(
    way: str, kind: str, imgopt: Command, shared_registry: Registry, repository: str, tmp_path: Path
) -> None:
    """The upload that the registry begins in place of a mount takes the layer: no request more than without the question."""
    layouts = images(tmp_path, 3)
    with served(kind, shared_registry, mounts=False) as proxy:
        if way == "one by one":
            pushes = [dict(run.push) for run in pushed(imgopt, layouts, proxy, repository)]
        else:
            pushes = pushed_together(imgopt, layouts, proxy, repository).pushes
        for push in pushes:
            assert hows(push) == ["sent", "sent", "sent"]
        assert BASE_BYTES * 4.5 < proxy.sent() < BASE_BYTES * 4.5 + 30_000
        begun = [each for each in proxy.seen if each.method == "POST"]
        assert len(begun) == 3 * 4  # one upload for each blob
        assert not [each for each in proxy.seen if each.method == "DELETE"]
        # it is asked once for each repository that could give it
        for push in pushes[1:]:
            (refused,) = push["refused_mounts"]
            assert refused["repository"].startswith(f"{repository}-") and refused["began_upload"]
            assert refused["sent_bytes"] > BASE_BYTES * 1.5 and "answers 202" in refused["why"]
        asked = [each for each in begun if "mount=" in each.path]
        assert len(asked) == (3 if way == "one by one" else 2)
        for number in range(3):
            pulled(proxy.name, f"{repository}-{number}", "1")


@pytest.mark.parametrize("source", ["imgopt.toml", "baseline", "label", "annotation", "nothing"])
def test_an_agent_without_a_memory_finds_what_is_there(
    source: str, imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """Of another release, under another tag: the newest is found by the names of tags."""
    first, second = images(tmp_path, 2)
    for tag in ("1.9", "1.10"):
        other = Layout()
        other.top = [other.image([tar_of({"x": tag.encode()})])]
        layout = first if tag == "1.10" else other.write(tmp_path / "other")
        assert imgopt("push", str(layout), f"{proxy.name}/{repository}-first:{tag}").code == 0
    (imgopt.home / "cache").rename(imgopt.home / "thrown-away")
    if source == "imgopt.toml":
        (imgopt.home / "imgopt.toml").write_text(f'[push]\nmount-from = ["{repository}-first"]\n')
    elif source == "baseline":
        entry = {"compressed_bytes": 1, "uncompressed_bytes": 1, "layers": [], "parts": {}, "accepted": []}
        document = {"imgopt_baseline": 1, "images": {f"{proxy.name}/{repository}-first (linux/amd64)": entry}}
        (imgopt.home / "sizes.json").write_text(json.dumps(document))
        (imgopt.home / "imgopt.toml").write_text('[gate]\nbaseline = "sizes.json"\n')
    elif source in ("label", "annotation"):
        second = with_base(tmp_path / "named", second, f"{proxy.name}/{repository}-first:1.9", source)
    (imgopt.home / "image").symlink_to(second)
    before = proxy.sent()
    run = imgopt("push", "image", f"{proxy.name}/{repository}-second:1", "--format", "json")
    assert run.code == 0, run.err
    wanted = "sent" if source == "nothing" else "mounted"
    assert hows(dict(run.push)) == [wanted, wanted, "sent"]
    assert (proxy.sent() - before < 20_000) == (source != "nothing")
    pulled(proxy.name, f"{repository}-second", "1")


def with_base(directory: Path, layout: Path, base: str, where: str) -> Path:
    """The same image, which says what it was built on."""
    import hashlib

    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads((layout / "blobs/sha256" / index["manifests"][0]["digest"][7:]).read_text())
    config = json.loads((layout / "blobs/sha256" / manifest["config"]["digest"][7:]).read_text())
    named = {"org.opencontainers.image.base.name": base}
    if where == "label":
        config["config"] = {**(config.get("config") or {}), "Labels": named}
    else:
        manifest["annotations"] = named
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(document: Any) -> dict[str, Any]:
        data = json.dumps(document).encode()
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    for layer in manifest["layers"]:
        (blobs / layer["digest"][7:]).write_bytes(
            (layout / "blobs/sha256" / layer["digest"][7:]).read_bytes()
        )
    manifest["config"] |= put(config)
    index["manifests"][0] |= put(manifest)
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text((layout / "oci-layout").read_text())
    return directory


def test_the_next_release_looks_nowhere_else(
    imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """What is new is small: other repositories are not asked for it, nor is anything mounted."""
    layouts = images(tmp_path, 3)
    pushed_together(imgopt, layouts, proxy, repository)
    later = []
    for number, layout in enumerate(layouts):
        made = Layout()
        base, libraries, _ = layers_of(layout)
        made.top = [made.image([base, libraries, tar_of({"app": b"module %d, next" % number})])]
        later.append(made.write(tmp_path / f"next-{number}"))
    proxy.seen.clear()
    lines = [f"{layout} {proxy.name}/{repository}-{n}:2" for n, layout in enumerate(later)]
    (imgopt.home / "push.txt").write_text("\n".join(lines))
    run = imgopt("push", "--all", "push.txt", "--format", "json")
    assert run.code == 0, run.err
    assert [hows(push) for push in run.pushes] == [["present", "present", "sent"]] * 3
    assert not [each for each in proxy.seen if "mount=" in each.path or "tags/list" in each.path]
    assert len([each for each in proxy.seen if each.path == "/v2/"]) <= 2  # plain HTTP was found out once


def layers_of(layout: Path) -> list[bytes]:
    import gzip

    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads((layout / "blobs/sha256" / index["manifests"][0]["digest"][7:]).read_text())
    return [
        gzip.decompress((layout / "blobs/sha256" / each["digest"][7:]).read_bytes())
        for each in manifest["layers"]
    ]


@pytest.mark.parametrize("way", ["one by one", "together"])
def test_a_registry_that_says_that_it_mounted_is_asked_before_the_image_is_named(
    way: str, imgopt: Command, repository: str, tmp_path: Path
) -> None:
    """It has nothing of what it mounted, and takes any manifest: the tag would name an image that nobody can pull."""
    layouts = images(tmp_path, 3)
    with conforming(separate=True, mounts=True, lies=True) as made, registries.proxy(made.port) as proxy:
        if way == "one by one":
            pushes = [dict(run.push) for run in pushed(imgopt, layouts, proxy, repository)]
        else:
            pushes = pushed_together(imgopt, layouts, proxy, repository).pushes
        assert made.broken == []
        assert [hows(push) for push in pushes] == [["sent"] * 3] * 3
        for push in pushes[1:]:
            (refused,) = push["refused_mounts"]
            assert refused["sent_bytes"] > BASE_BYTES * 1.5 and "does not have the blob" in refused["why"]
            assert refused["repository"].startswith(f"{repository}-")
        if way == "together":  # the third is not lied to again
            assert len([each for each in proxy.seen if "mount=" in each.path]) == 2
        assert proxy.sent() < BASE_BYTES * 4.5 + 30_000
        for number in range(3):
            pulled(proxy.name, f"{repository}-{number}", "1")


def test_what_was_mounted_is_asked_for_once_before_naming(
    imgopt: Command, repository: str, tmp_path: Path
) -> None:
    """And nothing else is: a question takes a way there and back."""
    layouts = images(tmp_path, 2)
    with conforming(separate=True, mounts=True) as made, registries.proxy(made.port) as proxy:
        pushed_together(imgopt, layouts, proxy, repository)
        own = [each for each in proxy.seen if f"{repository}-1/" in each.path]
        named = next(n for n, each in enumerate(own) if each.method == "PUT" and "/manifests/" in each.path)
        asked = [each.path for each in own[:named] if each.method == "HEAD"]
        mounted = {parse_qs(urlsplit(each.path).query)["mount"][0] for each in own if "mount=" in each.path}
        assert len(mounted) == 2
        for path in set(asked):
            assert asked.count(path) == (2 if path.rpartition("/")[2] in mounted else 1), asked


# --- tokens ---


@contextmanager
def wanting_tokens(**ways: Any) -> Iterator[tuple[Conforming, Proxy]]:
    with (
        conforming(separate=True, mounts=True, page=100, tokens=True, **ways) as made,
        registries.proxy(made.port) as proxy,
    ):
        yield made, proxy


def test_one_token_for_a_scope(imgopt: Command, tmp_path: Path) -> None:
    with wanting_tokens() as (registry, proxy):
        run = pushed_together(imgopt, images(tmp_path, 3), proxy, "shop/api")
        assert [hows(push) for push in run.pushes] == [["sent"] * 3, *[["mounted", "mounted", "sent"]] * 2]
    assert len(registry.asked) == len(set(registry.asked)), registry.asked
    for number in range(3):
        own = f"repository:shop/api-{number}:pull,push"
        assert (own,) in registry.asked
        if number:
            assert (own, "repository:shop/api-0:pull") in registry.asked


@pytest.mark.parametrize("way", ["one by one", "together"])
def test_a_token_without_the_sibling_s_scope(way: str, imgopt: Command, tmp_path: Path) -> None:
    """The service gives what the user may, and says nothing of the rest: layers are sent, and it is asked no more."""
    with wanting_tokens(denied={"shop/api-0:pull"}) as (registry, proxy):
        registry.denied.clear()
        layouts = images(tmp_path, 3)
        pushed(imgopt, layouts[:1], proxy, "shop/api")
        registry.denied |= {"shop/api-0:pull"}
        (imgopt.home / "imgopt.toml").write_text('[push]\nmount-from = ["shop/api-0"]\n')
        lines = [f"{layout} {proxy.name}/shop/api-{n}:1" for n, layout in enumerate(layouts) if n]
        (imgopt.home / "push.txt").write_text("\n".join(lines))
        if way == "together":
            run = imgopt("push", "--all", "push.txt", "--format", "json", "--config", "imgopt.toml")
            assert run.code == 0, run.err
            assert [hows(push) for push in run.pushes] == [["sent"] * 3, ["mounted", "mounted", "sent"]]
        else:
            for line in lines[:1]:
                run = imgopt("push", *line.split(), "--format", "json", "--config", "imgopt.toml")
                assert run.code == 0 and hows(dict(run.push)) == ["sent"] * 3, run.err
    asked = [each for each in registry.asked if any("shop/api-0:pull" in scope for scope in each)]
    assert len(asked) <= 3, asked  # the first image's own; then once, and once again after the 401


# --- nobody's word ---


def test_a_note_is_a_name_and_no_more(imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path) -> None:
    """A cache that CI hands on may have been written by anybody: other hosts, other paths, or no JSON at all."""
    (layout,) = images(tmp_path, 1)
    assert imgopt("push", str(layout), f"{proxy.name}/{repository}:1").code == 0
    (note,) = (imgopt.home / "cache/imgopt/pushed").glob("*.json")
    assert note.stat().st_mode & 0o777 == 0o600
    evil = [
        f"{proxy.name}/../../victim:1",
        "evil.example/x:1",
        f"{proxy.name}/UPPER:1",
        7,
        f"{proxy.name}/a/../b:1",
        "",
    ]
    for number, text in enumerate((json.dumps(evil), "{", "[" * 5000, json.dumps({"a": 1}), "\0")):
        note.write_text(text)
        proxy.seen.clear()
        run = imgopt("push", str(layout), f"{proxy.name}/{repository}-{number}:1", "--format", "json")
        assert run.code == 0 and hows(dict(run.push)) == ["sent"] * 3, run.err
        assert not [each.path for each in proxy.seen if "victim" in each.path or "evil" in each.path]


def test_a_sibling_s_word_is_not_taken_for_what_a_layer_is(
    imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """Its newest image names a digest that it does not have, and the digest of other bytes for a layer of ours."""
    from test_push import request

    (layout,) = images(tmp_path, 1)
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads((layout / "blobs/sha256" / index["manifests"][0]["digest"][7:]).read_text())
    layers = [{**each, "digest": "sha256:../../victim"} for each in manifest["layers"]]
    layers[0] = {**layers[0], "digest": manifest["layers"][0]["digest"]}
    data = json.dumps({**manifest, "layers": layers}).encode()
    with conforming(separate=True, mounts=True) as made, registries.proxy(made.port) as relay:
        request("PUT", f"{relay.name}/v2/evil/manifests/latest", data, manifest["mediaType"])
        (imgopt.home / "imgopt.toml").write_text('[push]\nmount-from = ["evil"]\n')
        arguments = ("--format", "json", "--config", "imgopt.toml")
        run = imgopt("push", str(layout), f"{relay.name}/{repository}:1", *arguments)
        assert run.code == 0 and hows(dict(run.push)) == ["sent"] * 3, run.err
        assert not [each.path for each in relay.seen if "victim" in each.path]
        pulled(relay.name, repository, "1")


@pytest.mark.parametrize("way", ["label", "--mount-from", "imgopt.toml"])
@pytest.mark.parametrize("has", ["nothing", "other bytes"])
def test_who_knows_a_digest_is_not_given_the_bytes(
    has: str, way: str, imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """A stranger's layout names layers of a repository that this login may read, and does not have them."""
    secret, layout = images(tmp_path, 2)
    assert imgopt("push", str(secret), f"{proxy.name}/{repository}-secret:1").code == 0
    imgopt.forget()
    name, more = f"{repository}-secret", []
    if way == "label":
        layout = with_base(tmp_path / "named", layout, f"{proxy.name}/{name}:1", "label")
    elif way == "imgopt.toml":
        (imgopt.home / "imgopt.toml").write_text(f'[push]\nmount-from = ["{name}"]\n')
        more = ["--config", "imgopt.toml"]
    else:
        more = ["--mount-from", name]
    blob = max((layout / "blobs/sha256").iterdir(), key=lambda each: each.stat().st_size)
    size = blob.stat().st_size
    blob.unlink()
    if has == "other bytes":
        blob.write_bytes(bytes(size))
    proxy.seen.clear()
    run = imgopt("push", str(layout), f"{proxy.name}/{repository}-open:1", *more)
    assert run.code == 2, run
    assert "layer 1 (sha256:" in run.err or "damaged" in run.err, run.err
    assert not [each.path for each in proxy.seen if blob.name in each.path and "mount=" in each.path]
    assert not [each for each in proxy.seen if each.method == "PUT" and "/manifests/" in each.path]


@pytest.mark.parametrize("there", [True, False])
def test_nor_is_an_image_beside_it_in_the_call(
    there: bool, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    """What was compressed for one image is another's only when that has the layer, too."""
    layer = tar_of({"secret": random.Random(repository).randbytes(400_000)})
    own = [layer, tar_of({"a": b"a"})]
    names = {"1/layer.tar": own[0], "2/layer.tar": own[1]}
    (imgopt.home / "a.tar").write_bytes(docker_archive(names, own))
    claimed = {**names, "1/layer.tar": layer if there else tar_of({"other": b"x" * 400_000})}
    (imgopt.home / "b.tar").write_bytes(docker_archive(claimed, own))
    lines = [f"{each}.tar {proxy.name}/{repository}-{each}:1" for each in "ab"]
    (imgopt.home / "push.txt").write_text("\n".join(lines))
    run = imgopt("push", "--all", "push.txt", "--format", "json")
    assert run.code == (0 if there else 2), run.err
    assert hows(run.pushes[0]) == ["sent", "sent"]
    if there:
        assert hows(run.pushes[1])[0] == "mounted"
    else:
        assert "error: b.tar (1/layer.tar): not pushed to " in run.err
    mounts = [each.path for each in proxy.seen if "mount=" in each.path and f"{repository}-b/" in each.path]
    assert bool(mounts) == there


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[push]\nmount_from = ["a"]', "imgopt.toml:2: unknown key 'push.mount_from'"),
        ("[push]\nmount-from = 3", "imgopt.toml:2: push.mount-from must be a list of strings"),
        ('[push]\nmount-from = ["UPPER"]', "imgopt.toml:2: image 'UPPER' is not an image reference"),
    ],
)
def test_a_wrong_configuration_is_told(text: str, message: str, imgopt: Command, tmp_path: Path) -> None:
    (imgopt.home / "imgopt.toml").write_text(text)
    run = imgopt("push", "image.tar", "127.0.0.1:1/a:1")
    assert run.code == 2 and message in run.err, run.err
