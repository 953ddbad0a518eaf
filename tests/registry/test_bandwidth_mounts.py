"""`imgopt bandwidth` says whether the registry mounts: a real one that does, and by hand those that do not, which cannot be had
here. What is claimed is compared with what each repository then holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import registries
from mounting_registry import mounting
from push_command import Command, Run
from registries import Proxy, Registry, Trouble

SIZE = ("--size", "100kB")


def looked(imgopt: Command, target: str, *more: str) -> dict[str, Any]:
    run = imgopt("bandwidth", target, *SIZE, *more, "--format", "json")
    assert run.code == 0, run.err
    found: dict[str, Any] = json.loads(run.out)["bandwidth"]["mounts"]
    return found


def repositories(registry: Registry) -> dict[str, int]:
    """How many layers and configs each repository of a real registry holds."""
    root = registry.root / "docker/registry/v2/repositories"
    links = root.glob("**/_layers/sha256/*/link")
    names = [str(link.relative_to(root)).split("/_layers/")[0] for link in links]
    return {name: names.count(name) for name in names}


def test_a_registry_that_mounts(
    imgopt: Command, proxy: Proxy, shared_registry: Registry, repository: str
) -> None:
    before = repositories(shared_registry), len(shared_registry.uploads())
    found = looked(imgopt, f"{proxy.name}/{repository}")
    beside = f"{repository}-imgopt-mounts"
    assert (found["supported"], found["basis"], found["from"], found["into"]) == (
        True,
        "measured",
        repository,
        beside,
    )
    assert found["advice"] == []
    # no blob stays and no upload; that the second repository's name may, is said
    assert (repositories(shared_registry), len(shared_registry.uploads())) == before
    assert found["left"] == [f"perhaps {beside} as an empty repository"]
    sent = [each.body_bytes for each in proxy.seen if each.method in ("PUT", "POST")]
    assert sum(sent) == 1000


def test_what_cannot_be_removed_is_said(imgopt: Command, tmp_path: Path) -> None:
    """Registries do not let blobs be removed unless they are told to."""
    if reason := registries.missing():
        pytest.skip(reason)
    with registries.registry(tmp_path / "registry", delete=False) as registry:
        found = looked(imgopt, f"{registry.name}/shop/api", "--sibling", "shop/worker")
        assert found["supported"] is True
        assert repositories(registry) == {"shop/api": 1, "shop/worker": 1}
        stays = "in no image, until the registry clears up: it answers 405 to removing it"
        assert found["left"][:2] == [f"1 kB in shop/worker, {stays}", f"1 kB in shop/api, {stays}"]
        run = imgopt("bandwidth", f"{registry.name}/shop/api", *SIZE)
        assert (
            run.out.count("stays there: 1 kB in shop/api") == 2
        )  # its own name and the second's begin alike
        run = imgopt("bandwidth", f"{registry.name}/shop/api", *SIZE, "--no-mounts", "--format", "json")
        assert json.loads(run.out)["bandwidth"]["mounts"] is None
        assert sum(repositories(registry).values()) == 4


@pytest.mark.parametrize(
    ("ways", "supported", "why"),
    [
        ({}, True, "answers 201, and the blob is there"),
        ({"mount": 202}, False, "answers 202: the blob has to be sent"),
        ({"links": False}, False, "answers 201, but the blob is not there"),
        ({"mount": 405}, False, "answers 405, where it takes an upload"),
        ({"mount": 403}, False, "answers 403, where it takes an upload"),
        ({"mount": 400}, False, "answers 400, where it takes an upload"),
        ({"mount": 403, "starts": 403}, None, "does not let anybody without a login push to shop/api-imgopt-mounts"),
        ({"mount": 401, "starts": 401}, None, "wants a login"),
        ({"mount": 404, "starts": 404}, None, "has no place to push to shop/api-imgopt-mounts (said here)"),
        ({"shows_all": True}, None, "shop/api-imgopt-mounts has it already, before anything was mounted"),
    ],
    ids=["mounts", "202", "lies", "405", "403", "400", "403 all", "401 all", "404 all", "shows all"],
)  # fmt: skip
def test_registries_after_the_specification(
    ways: dict[str, Any], supported: bool | None, why: str, imgopt: Command
) -> None:
    with mounting(**ways) as registry:
        found = looked(imgopt, f"{registry.name}/shop/api")
        assert found["supported"] is supported and why in found["why"]
        assert found["basis"] == ("unknown" if supported is None else "measured")
        assert bool(found["advice"]) is (supported is False)
        # neither a blob nor an upload that was begun
        assert registry.held() == {} and registry.uploads == {}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("grants", "supported"),
    [(("shop/api", "shop/worker"), True), (("shop/api",), None)],
    ids=["both", "not the second"],
)
def test_tokens(grants: tuple[str, ...], supported: bool | None, strict: bool, imgopt: Command) -> None:
    """A token service gives less than was asked for, or refuses all of it."""
    with mounting(tokens=True, grants=grants, strict=strict) as registry:
        found = looked(imgopt, f"{registry.name}/shop/api", "--sibling", "shop/worker")
        assert found["supported"] is supported, found
        if supported is None:
            assert "wants a login" in found["why"] or "not all of these" in found["why"]
        assert registry.held() == {} and registry.uploads == {}


def test_a_registry_that_lies_leaves_its_own_blob(imgopt: Command) -> None:
    with mounting(links=False, deletes=False) as registry:
        found = looked(imgopt, f"{registry.name}/shop/api")
        assert registry.held() == {"shop/api": 1}
        assert [each.partition(",")[0] for each in found["left"]] == [
            "1 kB in shop/api",
            "perhaps shop/api-imgopt-mounts as an empty repository",
        ]


def test_a_registry_that_mounts_inside_a_project_only(imgopt: Command) -> None:
    """The second repository lies beside the first: what is said is said of that place, and no more."""
    with mounting(inside=True) as registry:
        place = f"{registry.name}/shop/api"
        said = advised(imgopt("bandwidth", place, *SIZE))
        assert "mounts: yes" in said
        assert (
            "sends a layer once for all repositories below shop; --sibling REPO tries one that lies" in said
        )
        assert "mounts: no" in advised(imgopt("bandwidth", place, *SIZE, "--sibling", "other/api"))
    with mounting() as registry:
        said = advised(imgopt("bandwidth", f"{registry.name}/shop/api", *SIZE, "--sibling", "other/api"))
        assert "sends a layer once for all repositories stays there" in said


def advised(run: Run) -> str:
    assert run.code == 0, run.err
    return " ".join(run.out.split())


def test_the_way_round_has_its_price(imgopt: Command) -> None:
    """In text and in markdown; what is saved is known where the repository holds an image."""
    layers = [{"digest": f"sha256:{n:064x}", "size": size} for n, size in enumerate((47_400_000, 600_000))]
    with mounting(mount=202) as registry:
        target = f"{registry.name}/shop/api"
        said = advised(imgopt("bandwidth", target, *SIZE))
        assert "mounts: no, the registry answers 202: the blob has to be sent" in said
        assert f"one repository, the module in the tag ({target}:MODULE-1)" in said
        assert "saves: unknown, because shop/api has no image whose layers could tell" in said
        assert "price: one set of rights, one rule for what is kept and one quota for all modules" in said
        manifest = json.dumps({"schemaVersion": 2, "layers": layers}).encode()
        registry.manifests["shop/api"] = {"1.9": b"{}", "1.10": manifest}
        assert "of all layers of shop/api:1.10 at most 48.0 MB" in advised(imgopt("bandwidth", target, *SIZE))
        shown = imgopt("bandwidth", target, *SIZE, "--format", "markdown").out
        assert "\n- mounts: no," in shown and "\n- price: one set of rights" in shown
        found = looked(imgopt, target)
        assert found["image"] == {"tag": "1.10", "compressed_bytes": 48_000_000}
    for odd in (
        b"[]",
        b'{"layers": [{"size": -1}]}',
        b'{"layers": [{"size": true}]}',
        b'{"layers": 3}',
        b'{"manifests": []}',
    ):
        with mounting(mount=202, manifests={"shop/api": {"1": odd}}) as registry:
            assert looked(imgopt, f"{registry.name}/shop/api")["image"] is None


@pytest.mark.parametrize(
    ("sibling", "message"),
    [
        ("shop/api", "is the repository itself"),
        ("shop/worker:8", "names an image"),
        ("registry.example/shop/worker", "is not in 127.0.0.1"),
        ("Shop/../x", "is not an image reference"),
    ],
)
def test_a_second_repository_that_is_none(sibling: str, message: str, imgopt: Command) -> None:
    with mounting() as registry:
        run = imgopt("bandwidth", f"{registry.name}/shop/api", *SIZE, "--sibling", sibling)
        assert run.code == 2 and message in run.err
        assert registry.asked == []
        full = f"{registry.name}/shop/worker"
        assert looked(imgopt, f"{registry.name}/shop/api", "--sibling", full)["into"] == "shop/worker"


def test_the_rate_is_told_also_where_mounts_cannot_be_tried(
    imgopt: Command, proxy: Proxy, repository: str
) -> None:
    proxy.troubles = [Trouble("PUT", times=None, status=507)]
    found = looked(imgopt, f"{proxy.name}/{repository}")
    assert found["supported"] is None and "it answers 507" in found["why"] and found["left"] == []


def test_docker_hub_gets_no_second_repository_unasked() -> None:
    from imgopt.registry.mounts import sibling_of
    from imgopt.registry.target import parse_target

    assert sibling_of(parse_target("shop/api"), None) is None
    assert sibling_of(parse_target("shop/api"), "shop/worker") == "shop/worker"
    assert sibling_of(parse_target(f"r.example/{'a' * 250}"), None) is None


def test_what_the_registry_says_commands_nobody(imgopt: Command) -> None:
    with mounting(mount=403, starts=403, says="\x1b[2J\n::set-output name=x::y") as registry:
        for format in ("text", "markdown"):
            run = imgopt("bandwidth", f"{registry.name}/shop/api", *SIZE, "--format", format)
            assert run.code == 0 and "set-output" in run.out
            assert "\x1b" not in run.out and "\n::" not in run.out


def test_a_token_for_one_repository_only(imgopt: Command) -> None:
    """The registry mounts, but nobody who logs in like this gets a mount: that is what counts for a push."""
    with mounting(tokens=True, grants=("shop/api", "shop/worker"), one=True) as registry:
        found = looked(imgopt, f"{registry.name}/shop/api", "--sibling", "shop/worker")
        assert found["supported"] is False and "answers 401, where it takes an upload" in found["why"]
        assert registry.held() == {} and registry.uploads == {}
