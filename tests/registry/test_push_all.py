"""`imgopt push --all`: several images in one call, of a list or of archives that say where they go."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from image_archives import Layout, docker_archive, tar_of
from private_docker import Engine
from push_command import Command
from registries import Proxy, Trouble
from test_push import pulled

Release = Callable[..., Path]


def test_a_list_is_pushed_line_by_line(
    release: Release, imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """Comments, blank lines, quotes, tabs, Windows' line ends and its mark at the start; paths of the working directory."""
    blanks = imgopt.home / "my images"
    blanks.mkdir()
    (blanks / "b#2.tar").write_bytes(release(2).read_bytes())
    (imgopt.home / "push.txt").write_bytes(
        b"\xef\xbb\xbf# what we ship\r\n\r\n"
        + f"{release(1)} {proxy.name}/{repository}-a:1  # the first\r\n".encode()
        + f"\t'my images'/\"b#2.tar\"\t{proxy.name}/{repository}-b:1\r\n".encode()
    )
    run = imgopt("push", "--all", "push.txt", "--format", "json")
    assert run.code == 0, run.err
    assert run.document["errors"] == []
    assert [each["target"] for each in run.pushes] == [
        f"{proxy.name}/{repository}-a:1",
        f"{proxy.name}/{repository}-b:1",
    ]
    for each in ("a", "b"):
        pulled(proxy.name, f"{repository}-{each}", "1")


def test_a_list_comes_from_standard_input(
    release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    import subprocess
    import sys

    code = "import sys; from imgopt.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "push", "--all", "-", "--quiet"],
        input=f"{release(1)} {proxy.name}/{repository}:1\n",
        env=imgopt.environment,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    digest = pulled(proxy.name, repository, "1")["digest"]
    assert done.stdout == f"{proxy.name}/{repository}:1@{digest}\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"one.tar", "a line has an image and its target, not one word"),
        (b"my image.tar 127.0.0.1:1/a:1", "not 3 words"),
        (b"a.tar 127.0.0.1:1/UPPER:1", "is not an image reference"),
        (b"a.tar $REGISTRY/a:1", "expand the variable first"),
        (b"a.tar 127.0.0.1:1/a@sha256:" + b"0" * 64, "names a digest"),
        (b"'a.tar 127.0.0.1:1/a:1", "a quote is not closed"),
        (b'a"b 127.0.0.1:1/a:1', "a quote is not closed"),
        (b"'' 127.0.0.1:1/a:1", "the image's name is empty"),
        (b"a.tar ''", "is empty"),
        (b"\xff.tar 127.0.0.1:1/a:1", "it is not UTF-8"),
        (b"b.tar 127.0.0.1:1/ok", "is the target of push.txt:1, too"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_pushed(
    line: bytes, message: str, imgopt: Command, proxy: Proxy
) -> None:
    good = b"a.tar 127.0.0.1:1/ok:latest\n"
    (imgopt.home / "push.txt").write_bytes(good + b"\n" + line + b"\n")
    run = imgopt("push", "--all", "push.txt", "--format", "json")
    assert run.code == 2, run.err
    assert run.err.startswith("error: push.txt:3: ") and run.err.count("\n") == 1
    assert message in run.err
    (error,) = run.document["errors"]
    assert (error["path"], error["line"]) == ("push.txt", 3)


def test_every_wrong_line_is_told_at_once(imgopt: Command) -> None:
    (imgopt.home / "push.txt").write_text("a\nb c/d:1\ne f g\n")
    run = imgopt("push", "--all", "push.txt")
    assert (run.code, run.out) == (2, "")
    assert [each.partition(": a line")[0] for each in run.err.splitlines()] == [
        "error: push.txt:1",
        "error: push.txt:3",
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("registry.example/a:1", "Registry.Example/a:1"),
        ("docker.io/library/a:1", "a:1"),
        ("registry.example/a", "registry.example/a:latest"),
    ],
)
def test_two_lines_of_one_target_are_a_mistake(first: str, second: str, imgopt: Command) -> None:
    """Written in two ways: which of them the tag would name is chance."""
    (imgopt.home / "push.txt").write_text(f"a.tar {first}\nb.tar {second}\n")
    run = imgopt("push", "--all", "push.txt")
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith(f"error: push.txt:2: {second} is the target of push.txt:1, too")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n"])
def test_a_list_of_nothing_is_a_mistake(text: str, imgopt: Command) -> None:
    (imgopt.home / "push.txt").write_text(text)
    run = imgopt("push", "--all", "push.txt")
    assert run.code == 2 and "names no image" in run.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--all"], "--all names no image"),
        (["--all", "missing.txt"], "there is no such file"),
        (["--all", "empty"], "there is no image in it"),
        (["a.tar"], "push takes an image and its target, not 1 arguments"),
        (["a.tar", "b:1", "c:1"], "--all pushes several images"),
    ],
)
def test_wrong_usage(arguments: Sequence[str], message: str, imgopt: Command) -> None:
    (imgopt.home / "empty").mkdir()
    run = imgopt("push", *arguments)
    assert (run.code, run.out) == (2, "")
    assert message in run.err and run.err.count("\n") == 1


@pytest.mark.parametrize("kind", ["tar", "layout"])
def test_one_image_under_two_tags_is_sent_once(
    kind: str, release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    """A version and latest: when the second asks, the first has not sent anything yet."""
    image = release(1)
    if kind == "layout":
        layout = Layout()
        layout.top = [layout.image([tar_of({"base": random.Random(repository).randbytes(400_000)})])]
        image = layout.write(imgopt.home / "layout")
    lines = [f"{image} {proxy.name}/{repository}:{tag}" for tag in ("1", "latest")]
    (imgopt.home / "push.txt").write_text("\n".join(lines))
    run = imgopt("push", "--all", "push.txt", "--format", "json")
    assert run.code == 0, run.err
    assert {layer["how"] for layer in run.pushes[0]["layers"]} == {"sent"}
    assert {layer["how"] for layer in run.pushes[1]["layers"]} == {"present"}
    assert pulled(proxy.name, repository, "1")["digest"] == pulled(proxy.name, repository, "latest")["digest"]


# --- archives that say it themselves ---


def saved(path: Path, images: dict[str, list[bytes]]) -> Path:
    """As `docker save NAME NAME` writes them: one archive, a layer that two have once."""
    import hashlib
    import json

    from image_archives import config_of

    files: dict[str, bytes] = {}
    listed: list[dict[str, Any]] = []
    for name, layers in images.items():
        config = config_of(layers)
        files[f"{hashlib.sha256(config).hexdigest()}.json"] = config
        names = [f"{hashlib.sha256(layer).hexdigest()}/layer.tar" for layer in layers]
        files.update(zip(names, layers, strict=True))
        listed.append(
            {
                "Config": f"{hashlib.sha256(config).hexdigest()}.json",
                "RepoTags": name.split() or None,
                "Layers": names,
            }
        )
    path.write_bytes(tar_of({**files, "manifest.json": json.dumps(listed).encode()}))
    return path


BASE = tar_of({"base": b"base" * 50_000})


def test_archives_of_a_directory_go_where_their_names_say(
    imgopt: Command, proxy: Proxy, repository: str
) -> None:
    images = imgopt.home / "images"
    images.mkdir()
    name = f"{proxy.name}/{repository}"
    saved(images / "a.tar", {f"{name}-a:1": [BASE, tar_of({"a": b"a"})]})
    saved(
        images / "both.tar",
        {
            f"{name}-b:1": [BASE, tar_of({"b": b"b"})],
            f"{name}-c:1 {name}-c:latest": [BASE, tar_of({"c": b"c"})],
        },
    )
    layout = Layout()
    annotations = {"io.containerd.image.name": f"{name}-d:1", "org.opencontainers.image.ref.name": "1"}
    layout.top = [{**layout.image([BASE, tar_of({"d": b"d"})]), "annotations": annotations}]
    layout.write(images / "layout")
    (images / "notes.txt").write_text("no image")
    run = imgopt("push", "--all", str(images), "--format", "json")
    assert run.code == 0, run.err
    assert [each["target"].removeprefix(name) for each in run.pushes] == [
        "-a:1", "-b:1", "-c:1", "-c:latest", "-d:1",
    ]  # fmt: skip
    for each in ("a", "b", "c", "d"):
        layers = pulled(proxy.name, f"{repository}-{each}", "1")["layers"]
        assert len(layers) == 2
    assert len({pulled(proxy.name, f"{repository}-{each}", "1")["digest"] for each in "abcd"}) == 4


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("", "has no name for its image"),
        ("shop/api:8", "calls its image shop/api:8, without a registry"),
    ],
)
def test_an_archive_that_does_not_say_where_is_refused(names: str, message: str, imgopt: Command) -> None:
    """Docker would take Docker Hub for it: a company's image would be public."""
    saved(imgopt.home / "a.tar", {names: [BASE]})
    run = imgopt("push", "--all", "a.tar")
    assert (run.code, run.out) == (2, "")
    assert message in run.err and "write a list with a line a.tar REGISTRY/REPO:TAG" in run.err


@pytest.mark.parametrize(
    ("only", "stranger"),
    [
        (["{name}/team"], "{name}/prod:latest"),
        (["{name}/team"], "{name}/teammates/api:1"),  # no namespace below it
        (["{name}/team/"], "{name}/team-b:1"),
        (["{name}"], "registry.example/team/prod:latest"),
        (["{name}/team/api"], "docker.io/team/api:1"),
        (["{name}/team", "registry.example/team"], "registry.example/prod/api:1"),
    ],
)
def test_an_archive_of_a_stranger_goes_nowhere_else(
    only: Sequence[str], stranger: str, imgopt: Command, proxy: Proxy
) -> None:
    """An artifact of another job says where it goes, and the login of this one would let it."""
    images = imgopt.home / "images"
    images.mkdir()
    saved(images / "a.tar", {f"{proxy.name}/team/api:1": [BASE]})
    there = stranger.format(name=proxy.name)
    saved(images / "b.tar", {there: [BASE]})
    options = [word for place in only for word in ("--only-to", place.format(name=proxy.name))]
    run = imgopt("push", "--all", *options, "--format", "json", "images")
    assert run.code == 2, run.err
    assert run.err.startswith(f"error: images/b.tar: {there} is not in ") and run.err.count("\n") == 1
    (error,) = run.document["errors"]
    assert (error["path"], error["line"]) == ("images/b.tar", None)
    assert not proxy.seen


def test_what_lies_in_the_place_is_pushed(
    release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    """The place itself is one of its repositories; a list is held to it as well, and one image."""
    name = f"{proxy.name}/{repository}"
    saved(imgopt.home / "a.tar", {f"{name}/api:1": [BASE]})
    (imgopt.home / "push.txt").write_text(f"{release(1)} {name}:1\n{release(2)} {proxy.name}/else/where:1\n")
    run = imgopt("push", "--all", "a.tar", "push.txt", "--only-to", name)
    assert (run.code, run.out) == (2, "") and run.err.startswith("error: push.txt:2: "), run.err
    (imgopt.home / "push.txt").write_text(f"{release(1)} {name}:1\n")
    run = imgopt("push", "--all", "a.tar", "push.txt", "--only-to", name, "--format", "json")
    assert run.code == 0 and len(run.pushes) == 2, run.err
    run = imgopt("push", "a.tar", f"{name}:2", "--only-to", f"{name}/api")
    assert (run.code, run.out) == (2, "") and f"{name}:2 is not in {name}/api" in run.err
    assert imgopt("push", "a.tar", f"{name}/api:2", "--only-to", f"{name}/api").code == 0


@pytest.mark.parametrize(
    "place",
    [
        "",
        "team",
        "team/api",
        "registry.example/team:1",
        "registry.example/Team",
        "registry.example//",
        "a.b/../c",
    ],
)
def test_a_place_that_names_no_registry_is_refused(place: str, imgopt: Command) -> None:
    """An empty variable of a job would let images go anywhere."""
    run = imgopt("push", "--all", "a.tar", "--only-to", place)
    assert (run.code, run.out) == (2, "")
    assert "--only-to" in run.err and "give REGISTRY/NAMESPACE, without a tag" in run.err


def test_one_failure_does_not_stop_the_others(
    release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    (imgopt.home / "damaged.tar").write_bytes(docker_archive({"1/layer.tar": BASE}, [tar_of({"x": b"x"})]))
    lines = [
        f"{release(1)} {proxy.name}/{repository}-a:1",
        f"{release(2)} {proxy.name}/{repository}-denied:1",
        f"damaged.tar {proxy.name}/{repository}-b:1",
        f"missing.tar {proxy.name}/{repository}-c:1",
        f"{release(3)} {proxy.name}/{repository}-d:1",
    ]
    (imgopt.home / "push.txt").write_text("\n".join(lines))
    proxy.troubles = [
        Trouble(method, f"/{repository}-denied/", times=None, status=403)
        for method in ("GET", "HEAD", "POST", "PUT")
    ]
    run = imgopt("push", "--all", "push.txt", "--format", "json")
    assert run.code == 3, run.err  # the highest
    assert [each["error"] is None for each in run.pushes] == [True, False, False, False, True]
    assert run.document["total"]["images"] == 5 and run.document["total"]["failed"] == 3
    assert len(run.document["errors"]) == 3 and run.err.count("error: ") == 3
    assert f"error: {release(2)}: not pushed to {proxy.name}/{repository}-denied:1: " in run.err
    for each in ("a", "d"):
        pulled(proxy.name, f"{repository}-{each}", "1")


def test_text_and_markdown(release: Release, imgopt: Command, proxy: Proxy, repository: str) -> None:
    lines = [f"{release(n)} {proxy.name}/{repository}-{n}:1" for n in (1, 2)]
    (imgopt.home / "push.txt").write_text("\n".join([*lines, f"missing.tar {proxy.name}/{repository}-3:1"]))
    run = imgopt("push", "--all", "push.txt")
    assert run.code == 2 and "pushed 2 of 3 images, sent " in run.out, run.out
    assert f"{proxy.name}/{repository}-3:1  failed" in run.out
    run = imgopt("push", "--all", "push.txt", "--format", "markdown")
    assert run.out.startswith("<!-- imgopt: push -->\n\n### imgopt push: pushed 2 of 3 images")
    assert "- missing.tar: not pushed to " in run.out


@pytest.mark.parametrize("missing", [False, True])
def test_a_daemon_s_images(
    missing: bool, engine: Engine, imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """Saved together, so that what they have in common is written once and compressed once; each alone where one of them
    is not there."""
    import hashlib

    (tmp_path / "lib").write_bytes(hashlib.sha256(repository.encode()).digest() * 30_000)
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY lib /lib\nCOPY app /app\nCMD ["/app"]\n')
    names = [f"{repository}-{n}" for n in range(3)]
    for name in names:
        (tmp_path / "app").write_text(name)
        engine.build(tmp_path, f"{name}:latest" if name.endswith("2") else f"{name}:1")
    imgopt.environment.update(engine.environment)
    images = [f"{names[0]}:1", f"docker:{names[1]}:1", names[2]]
    if missing:
        images.insert(1, f"{repository}-never-built:1")
    lines = [f"{image} {proxy.name}/{repository}-pushed-{n}:1" for n, image in enumerate(images)]
    (imgopt.home / "push.txt").write_text("\n".join(lines))
    run = imgopt("push", "--all", "push.txt", "--format", "json")
    done = [push for push in run.pushes if push["error"] is None]
    assert (run.code, len(done), len(run.pushes)) == ((3, 3, 4) if missing else (0, 3, 3)), run.err
    assert ("the daemon has no image" in run.err) == missing
    hows = [[layer["how"] for layer in push["layers"]] for push in done]
    assert hows == [["sent", "sent"], ["mounted", "sent"], ["mounted", "sent"]]
    # the common layer once, and the small ones
    assert run.document["total"]["compressed_here"]["uncompressed_bytes"] < 2 * 960_000
    for name, push in zip(names, done, strict=True):
        tag = "latest" if name.endswith("2") else "1"
        target = push["target"].removeprefix(f"{proxy.name}/").removesuffix(":1")
        image = engine.client.images.get(f"{name}:{tag}")
        assert image.id == pulled(proxy.name, target, "1")["config"]["digest"]
