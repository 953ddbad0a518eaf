"""What goes wrong in the middle of many images: the others arrive, and what was sent is not sent again."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import registries
from conforming import conforming
from image_archives import Layout, tar_of
from push_command import Command
from registries import Proxy, Trouble
from test_mounts import BASE_BYTES, hows, images, pushed_together
from test_push import pulled

SECONDS = 120


def write_list(imgopt: Command, layouts: list[Path], name: str, repository: str) -> None:
    lines = [f"{layout} {name}/{repository}-{n}:1" for n, layout in enumerate(layouts)]
    (imgopt.home / "push.txt").write_text("\n".join(lines))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_one_of_thirteen_is_denied(imgopt: Command, tmp_path: Path) -> None:
    """By its token: the service leaves the right to push out, and the registry says 401."""
    with (
        conforming(
            separate=True, mounts=True, page=100, tokens=True, denied={"shop/api-0:push", "shop/api-5:push"}
        ) as made,
        registries.proxy(made.port) as proxy,
    ):
        write_list(imgopt, images(tmp_path, 13), proxy.name, "shop/api")
        run = imgopt("push", "--all", "push.txt", "--format", "json")
        assert run.code == 3, run.err
        failed = [n for n, push in enumerate(run.pushes) if push["error"] is not None]
        assert failed == [0, 5] and run.document["total"]["failed"] == 2
        assert run.err.count("error: ") == 2 and "not pushed to" in run.err
        # the first that may be pushed brings what all have
        assert hows(run.pushes[1]) == ["sent"] * 3
        others = {n: hows(run.pushes[n]) for n in range(2, 13) if n != 5}
        assert others == {n: ["mounted", "mounted", "sent"] for n in others}, (run.pushes, made.asked)
        assert proxy.sent() < BASE_BYTES * 1.5 + 40_000
        # no token was asked for again because of the two
        assert (
            len([each for each in made.asked if any(":pull,push" in scope for scope in each)]) < 13 + 11 + 4
        )


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("debug", [False, True])
def test_a_bug_in_one_image_leaves_the_others_their_results(
    debug: bool,
    format: str,
    imgopt: Command,
    proxy: Proxy,
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """No input is known that makes one, so one is put in."""
    from imgopt.cli import main
    from imgopt.registry import several

    real = several.push_image

    def push_image(image: Any, target: str, *arguments: Any, **more: Any) -> Any:
        if target.endswith("-1:1"):
            raise ZeroDivisionError("at layer 3")
        return real(image, target, *arguments, **more)

    monkeypatch.setattr(several, "push_image", push_image)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    write_list(imgopt, images(tmp_path, 3), proxy.name, repository)
    more = ["--debug"] if debug else []
    code = main(["push", "--all", str(imgopt.home / "push.txt"), "--format", format, *more])
    out, err = capfd.readouterr()
    assert code == 70, err
    assert err.count("a bug in imgopt: ZeroDivisionError: at layer 3; ") == (2 if debug else 1), err
    assert ("Traceback" in err and "in push_image" in err) == debug
    if format == "json":
        document = json.loads(out)  # one document
        assert [push["error"] is None for push in document["pushes"]] == [True, False, True]
        assert len(document["errors"]) == document["total"]["failed"] == 1
    else:
        assert "pushed 2 of 3 images" in out
    for number in (0, 2):
        pulled(proxy.name, f"{repository}-{number}", "1")


@pytest.mark.parametrize("status", [500, 403])
def test_one_breaks_down_in_the_middle(
    status: int, imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """While it sends what the others want to mount: the next one brings it."""
    layouts = images(tmp_path, 3)
    write_list(imgopt, layouts, proxy.name, repository)
    proxy.troubles = [Trouble("PATCH", f"/{repository}-0/", times=None, status=status)]
    run = imgopt("push", "--all", "push.txt", "--format", "json", "--tries", "2")
    assert run.code == 3, run.err
    assert [push["error"] is None for push in run.pushes] == [False, True, True]
    assert [hows(push) for push in run.pushes[1:]] == [["sent"] * 3, ["mounted", "mounted", "sent"]]
    for number in (1, 2):
        pulled(proxy.name, f"{repository}-{number}", "1")


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_cut_in_the_middle_of_the_list_and_run_again(
    kind: signal.Signals, imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """The second image has a large layer of its own, in which it ends."""
    own = tar_of({"own": bytes(range(256)) * 3_000})
    layouts = images(tmp_path, 3)
    made = Layout()
    made.top = [made.image([own], suffix="+none")]
    layouts.insert(1, made.write(tmp_path / "own"))
    write_list(imgopt, layouts, proxy.name, repository)
    arguments = ("push", "--all", "push.txt", "--chunk-size", "200kB", "--format", "json")
    common = int(BASE_BYTES * 1.5)
    proxy.bytes_per_s = 500_000
    process = imgopt.start(*arguments)
    until(lambda: proxy.sent("PATCH") > common + 250_000)
    process.send_signal(kind)
    out, err = process.communicate(timeout=SECONDS)
    if kind == signal.SIGINT:
        assert (process.returncode, out) == (130, ""), err
        assert "1 of 4 images" in err and "run it again" in err and "Traceback" not in err
    proxy.bytes_per_s = None
    run = imgopt(*arguments)
    assert run.code == 0, run.err
    assert hows(run.pushes[0]) == ["present"] * 3
    assert run.pushes[1]["layers"][0]["resumed_bytes"] >= 200_000, run.err
    assert [hows(push) for push in run.pushes[2:]] == [["mounted", "mounted", "sent"]] * 2
    large = common + len(own)
    assert proxy.sent("PATCH", finished=True) < large + 5_000
    for number in range(4):
        pulled(proxy.name, f"{repository}-{number}", "1")
    assert not list((imgopt.home / "cache/imgopt/uploads").glob("*"))


def test_stopped_twice(imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path) -> None:
    """Nobody waits for answers then; what became of the images is said all the same."""
    write_list(imgopt, images(tmp_path, 5), proxy.name, repository)
    proxy.bytes_per_s = 100
    process = imgopt.start("push", "--all", "push.txt")
    until(lambda: any(each.method in ("PUT", "PATCH") for each in proxy.seen))
    process.send_signal(signal.SIGINT)
    until(lambda: process.poll() is not None or process.send_signal(signal.SIGINT) is not None)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode in (130, -signal.SIGINT) and not out, err  # one more may meet it as it ends
    assert err.count("0 of 5 images are in the registry; run it again for the others") == 1, err


def test_a_registry_that_is_not_there_is_asked_once(imgopt: Command, tmp_path: Path) -> None:
    """Not as many times as there are images."""
    port = registries.free_port()
    write_list(imgopt, images(tmp_path, 13), f"127.0.0.1:{port}", "shop/api")
    run = imgopt("push", "--all", "push.txt", "--format", "json")
    assert run.code == 3
    assert run.err.count("waits") <= 3 and run.document["total"]["failed"] == 13
    assert len({error["message"].partition(": ")[2] for error in run.document["errors"]}) == 1


def test_two_registries_in_one_call(imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path) -> None:
    """Nothing is mounted from one to the other, and one that is away does not stop the other."""
    with conforming(separate=True, mounts=True) as made, registries.proxy(made.port) as other:
        layouts = images(tmp_path, 4)
        names = [proxy.name, other.name, proxy.name, other.name]
        lines = [
            f"{layout} {name}/{repository}-{n}:1"
            for n, (layout, name) in enumerate(zip(layouts, names, strict=True))
        ]
        lines.append(f"{layouts[0]} 127.0.0.1:{registries.free_port()}/{repository}:1")
        (imgopt.home / "push.txt").write_text("\n".join(lines))
        run = imgopt("push", "--all", "push.txt", "--format", "json", "--tries", "1")
        assert run.code == 3
        assert [hows(push) for push in run.pushes[:4]] == [["sent"] * 3] * 2 + [
            ["mounted", "mounted", "sent"]
        ] * 2
        assert run.pushes[4]["error"] is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--base", "shop/base:1"], "--base shop/base:1 names no digest"),
        (["--base", "registry.example/base@sha256:" + "0" * 64], "is not in the registry"),
        (
            ["--mount-from", "other.example/shop/base"],
            "--mount-from other.example/shop/base is not in the registry",
        ),
        (["--mount-from", "UPPER"], "is not an image reference"),
        (["--mount-from", "../../victim"], "is not an image reference"),
    ],
)
def test_options_that_cannot_be_meant_are_told_once_and_nothing_is_sent(
    options: list[str], message: str, imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    write_list(imgopt, images(tmp_path, 3), proxy.name, repository)
    run = imgopt("push", "--all", "push.txt", *options)
    assert (run.code, run.out) == (2, "") and message in run.err and run.err.count("\n") == 1, run.err
    assert not proxy.seen


def test_options_are_for_the_registry_that_they_name(
    imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """A base and a repository of one of two registries: the images of the other are pushed as if they were not given."""
    layouts = images(tmp_path, 3)
    base = f"{proxy.name}/{repository}-base"
    assert imgopt("push", str(layouts[0]), f"{base}:1").code == 0
    pinned = f"{base}@{pulled(proxy.name, f'{repository}-base', '1')['digest']}"
    imgopt.forget()
    with conforming(separate=True, mounts=True) as made, registries.proxy(made.port) as other:
        lines = [f"{layouts[1]} {proxy.name}/{repository}-1:1", f"{layouts[2]} {other.name}/{repository}-2:1"]
        (imgopt.home / "push.txt").write_text("\n".join(lines))
        options = ("--base", pinned, "--mount-from", f"{base}:1")
        run = imgopt("push", "--all", "push.txt", "--format", "json", *options)
        assert run.code == 0, run.err
        assert [hows(push) for push in run.pushes] == [["mounted", "mounted", "sent"], ["sent"] * 3]
        assert not [each.path for each in other.seen if "base" in each.path]


@pytest.mark.parametrize("columns", [20, 40, 79])
def test_a_narrow_terminal_has_the_figures(
    columns: int, imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    """What is being done is cut, not how far it is."""
    proxy.bytes_per_s = 400_000
    write_list(imgopt, images(tmp_path, 2), proxy.name, repository)
    code, shown = imgopt.on_terminal("push", "--all", "push.txt", "--chunk-size", "100kB", columns=columns)
    assert code == 0, shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    bars = [each for each in re.split(r"[\r\n]+", plain) if "/900.8 kB" in each]
    assert bars and all(len(each.rstrip()) <= columns for each in bars), plain
    assert any("0 of 2" in each for each in bars) or columns == 20


def test_the_progress_is_of_all(imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path) -> None:
    """On a terminal: how many images, of how many bytes."""
    proxy.bytes_per_s = 400_000
    write_list(imgopt, images(tmp_path, 3), proxy.name, repository)
    code, shown = imgopt.on_terminal("push", "--all", "push.txt", "--chunk-size", "100kB")
    assert code == 0, shown
    assert b"0 of 3 images pushed: layer 1 of 3" in shown
    assert b"/900.9 kB" in shown and b"/2.7 MB" not in shown, shown  # what they have in common counts once


def test_a_call_of_one_image_is_a_push(
    imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    run = pushed_together(imgopt, images(tmp_path, 1), proxy, repository)
    assert [hows(push) for push in run.pushes] == [["sent"] * 3]
