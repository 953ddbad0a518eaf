"""What a rewrite hands on between stages lies below a path that is the module's own."""

from __future__ import annotations

import re
import shlex
import unicodedata
from pathlib import Path

import pytest
from boot_jar import boot_jar, library
from command_line import Imgopt
from command_line import imgopt as imgopt

from imgopt.dockerfile import expand, parse

FAT = 'FROM eclipse-temurin:17-jre\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'


def module(directory: Path, text: str = FAT, name: str = "Dockerfile", jar: str = "target/app.jar") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    boot_jar(directory / jar, libraries={"big-1.0.jar": library(size=1_200_000)})
    dockerfile = directory / name
    dockerfile.write_text(text)
    return dockerfile


def rewritten(imgopt: Imgopt, *arguments: object) -> str:
    run = imgopt("rewrite", *arguments)
    assert run.code == 0, run.err
    return run.text


def place(text: str) -> str:
    """The directory of the added stage; everything that is copied from the stage lies in it."""
    found = re.search(r"^WORKDIR (/extract\S*)$", text, re.MULTILINE)
    assert found is not None, text
    copies = re.findall(r"^COPY --from=extract (\S+)", text, re.MULTILINE)
    assert len(copies) == 5
    assert all(copy.startswith(found[1] + "/") for copy in copies), copies
    return found[1]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "checkout-17"
    (root / ".git").mkdir(parents=True)
    return root


def test_it_is_the_directory_in_the_repository(repository: Path, imgopt: Imgopt) -> None:
    assert place(rewritten(imgopt, module(repository / "services" / "orders"))) == "/extract/services/orders"


def test_it_is_the_same_from_everywhere(
    repository: Path, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = repository / "services" / "orders"
    texts = {rewritten(imgopt, module(home))}
    (tmp_path / "link").symlink_to(repository)
    for directory, arguments in (
        (repository, ["services/orders/Dockerfile"]),
        (home, ["."]),
        (home, ["Dockerfile"]),
        (home / "target", [".."]),
        (tmp_path, ["link/services/orders"]),
        (repository, ["services/orders", "--context", "services/orders"]),
    ):
        monkeypatch.chdir(directory)
        texts.add(rewritten(imgopt, *arguments))
    assert len(texts) == 1


def test_standard_input_is_the_directory_s_own_dockerfile(
    repository: Path, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    from io import BytesIO, TextIOWrapper

    home = repository / "services" / "orders"
    module(home)
    monkeypatch.chdir(home)
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(FAT.encode())))
    assert place(rewritten(imgopt, "-")) == "/extract/services/orders"


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("pom.xml", "<project><artifactId>shop</artifactId></project>", "/extract/root/shop"),
        ("settings.gradle", "rootProject.name = 'shop'", "/extract/root/shop"),
        ("README", "", "/extract/root"),
    ],
)
def test_a_repository_of_one_module_has_the_name_of_its_build(
    repository: Path, imgopt: Imgopt, file: str, text: str, expected: str
) -> None:
    (repository / file).write_text(text)
    if file == "settings.gradle":
        (repository / "build.gradle").write_text("plugins { id 'java' }\n")
    assert place(rewritten(imgopt, module(repository))) == expected


def test_without_a_repository_it_is_the_path_in_the_project(tmp_path: Path, imgopt: Imgopt) -> None:
    assert place(rewritten(imgopt, module(tmp_path / "orders"))) == "/extract/orders"
    (tmp_path / "pom.xml").write_text("<project><artifactId>shop</artifactId></project>")
    assert place(rewritten(imgopt, module(tmp_path / "services" / "orders"))) == "/extract/services/orders"


def test_several_dockerfiles_of_one_directory(repository: Path, imgopt: Imgopt) -> None:
    names = [
        "Dockerfile",
        "Dockerfile.orders",
        "orders.Dockerfile",
        "Dockerfile.Orders",
        "dockerfile.orders",
        "Dockerfile.orders.Dockerfile",
        "dockerfile",
        "Containerfile",
        "orders.dockerfile",
    ]
    places = {name: place(rewritten(imgopt, module(repository / "docker", name=name))) for name in names}
    assert places["Dockerfile"] == "/extract/docker"
    assert places["Dockerfile.orders"] == "/extract/docker/dockerfile.orders"
    assert places["orders.Dockerfile"] == "/extract/docker/orders.dockerfile"
    assert len(set(places.values())) == len(names)


#: Directories that are alike to the eye, to a file system, or once they are made plain.
ALIKE = [
    *("a-b", "a/b", "A/b", "a/B", "a_b", "a.b", "a b", "a  b", "-a", "a-", "..a", "...", "a/-b", "$a", "${a}", "`a`"),
    *("a;b", "a'b", 'a"b', "a\\b", "C:\\a", "a\tb", "a&&b", "größe", "grösse", "gr\u0308o\u00dfe", "订单", "支付"),
    *("orders", "Orders", "ORDERS", "orders-1.2.jar", "root", "root/orders", "out", "context", "orders/out"),
    *("orders/out/dependencies", "dockerfile.orders", "orders.dockerfile", "#", "*", "a*", "[ab]", "~", "a:b", "a@b"),
    *("x" * 61, "x" * 62, "x" * 60, "y" * 200, "/".join(["deep"] * 60), "/".join(["deep"] * 61), "orders-0123abcd"),
    *("\u200borders", "orders\u2028", "\u202eorders", "\x1b[31m", "a\nb", "RUN x", "a/RUN x"),
]  # fmt: skip


def test_no_two_modules_share_a_path_and_every_path_is_plain(repository: Path, imgopt: Imgopt) -> None:
    places: dict[str, str] = {}
    for directory in ALIKE:
        found = place(rewritten(imgopt, module(repository / directory)))
        assert re.fullmatch(r"(/[a-z0-9][a-z0-9._-]*)+", found), directory
        assert shlex.split(found) == [found]
        assert len(found) < 200
        assert found not in places, (directory, places[found])
        places[found] = directory
    for one in places:  # the tree of a module lies in no other module's tree, nor where its small jar lies
        for other in places:
            assert not f"{other}/".startswith((f"{one}/out/", f"{one}/app.jar/")), (
                places[one],
                places[other],
            )
    for name in ("a-b", "a.b", "orders", "a/b", "dockerfile.orders"):
        assert any(directory == name for directory in places.values())
    assert places["/extract/a-b"] == "a-b"
    assert places["/extract/orders"] == "orders"


def test_a_name_is_the_same_on_a_mac(repository: Path, imgopt: Imgopt) -> None:
    one, other = (
        place(rewritten(imgopt, module(repository / form.lower() / unicodedata.normalize(form, "größe"))))
        for form in ("NFC", "NFD")
    )
    assert one.rpartition("/")[2] == other.rpartition("/")[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "FROM eclipse-temurin:17-jre\nARG MODULE=orders\nCOPY ${MODULE}/target/app.jar /app.jar\n",
            "/extract/root/${MODULE}",
        ),
        (
            "ARG MODULE=orders\nFROM eclipse-temurin:17-jre\nRUN echo x > /etc/motd\nARG MODULE\n"
            "COPY ${MODULE}/target/app.jar /app.jar\n",
            "/extract/root/${MODULE}",
        ),
        (
            "FROM eclipse-temurin:17-jre\nARG MODULE=orders\nENV NAME=$MODULE\nCOPY $NAME/target/app.jar /app.jar\n",
            "/extract/root/${MODULE}",
        ),
        (
            "FROM eclipse-temurin:17-jre\nARG VERSION=orders\nCOPY $VERSION/target/app.jar /app.jar\n",
            "/extract/root",
        ),
        (
            "FROM eclipse-temurin:17-jre\nARG JAR_FILE=orders/target/*.jar\nCOPY $JAR_FILE /app.jar\n",
            "/extract/root",
        ),
        ("FROM eclipse-temurin:17-jre\nENV NAME=orders\nCOPY $NAME/target/app.jar /app.jar\n", "/extract/root"),
        (
            "FROM maven:3.9-eclipse-temurin-17 AS build\nARG MODULE=orders\nARG OPTIONS=-q\nCOPY . /src\n"
            "RUN cd /src && mvn $OPTIONS -pl $MODULE package && mv /src/$MODULE/target/app.jar /app.jar\n"
            "FROM eclipse-temurin:17-jre\nCOPY --from=build /app.jar /app.jar\n",
            "/extract/root/${MODULE}",
        ),
    ],
)  # fmt: skip
def test_a_dockerfile_that_several_modules_share_by_an_argument(
    repository: Path, imgopt: Imgopt, text: str, expected: str
) -> None:
    module(repository / "orders")
    file = repository / "Dockerfile"
    file.write_text(text + 'ENTRYPOINT ["java", "-jar", "/app.jar"]\n')
    after = rewritten(imgopt, file, "--spring-boot", "3.3.5")
    assert place(after) == expected
    if "$" not in expected:
        return
    for part in after.split("\nFROM ")[-2:]:  # both stages know the argument where they use it
        assert re.search(r"^ARG MODULE\b", part, re.MULTILINE), after
        assert part.index("\nARG MODULE") < part.index("/extract/")
    file.write_text(after)
    assert rewritten(imgopt, file, "--spring-boot", "3.3.5") == after


def test_a_dockerfile_beside_its_contexts(
    repository: Path, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    file = module(repository / "docker")
    for name in ("orders", "billing"):
        module(repository / name)
        text = rewritten(imgopt, file, "--context", name)
        assert place(text) == f"/extract/docker/context/{name}"


OLD = """\
FROM eclipse-temurin:17-jdk AS extract
WORKDIR /extract
COPY target/app.jar fat.jar
RUN java -Djarmode=tools -jar fat.jar extract --layers --launcher --destination layers \\
 && for layer in dependencies spring-boot-loader snapshot-dependencies application; do \\
      mkdir -p out/$layer && mv layers/$layer out/$layer/application || exit 1; done \\
 && find out/dependencies out/spring-boot-loader out/snapshot-dependencies -exec touch -h -d @318211200 {} + \\
 && (echo "Class-Path: /application/" && cat out/application/application/META-INF/MANIFEST.MF) > start.mf \\
 && jar cfm app.jar start.mf

FROM eclipse-temurin:17-jre-alpine
ENV LANG=C.UTF-8 LC_ALL=C.UTF-8
COPY --from=extract /extract/out/dependencies/ /
COPY --from=extract /extract/out/spring-boot-loader/ /
COPY --from=extract /extract/out/snapshot-dependencies/ /
COPY --from=extract /extract/out/application/ /
COPY --from=extract /extract/app.jar /app.jar
ENTRYPOINT ["java", "-jar", "/app.jar"]
"""


def test_what_was_rewritten_before_is_left_alone(repository: Path, imgopt: Imgopt) -> None:
    assert rewritten(imgopt, module(repository / "orders", OLD)) == OLD


@pytest.mark.parametrize("directory", ["orders", "a b", "$(touch x)"])
def test_a_second_run_changes_nothing(repository: Path, imgopt: Imgopt, directory: str) -> None:
    file = module(repository / directory)
    after = rewritten(imgopt, file)
    file.write_text(after)
    assert rewritten(imgopt, file) == after


MANUAL = """\
FROM eclipse-temurin:17-jdk AS builder
ARG MODULE=orders
WORKDIR /builder
COPY ${MODULE}/target/app.jar app.jar
RUN java -Djarmode=tools -jar app.jar extract --layers --launcher --destination extracted

FROM eclipse-temurin:17-jre
WORKDIR /application
COPY --from=builder /builder/extracted/dependencies/ ./
COPY --from=builder /builder/extracted/spring-boot-loader/ ./
COPY --from=builder /builder/extracted/snapshot-dependencies/ ./
COPY --from=builder /builder/extracted/application/ ./
ENTRYPOINT ["java", "org.springframework.boot.loader.launch.JarLauncher"]
"""


@pytest.mark.parametrize("target", ["/application", "/"])
def test_layers_that_the_author_unpacks(repository: Path, imgopt: Imgopt, target: str) -> None:
    module(repository / "orders")
    file = repository / "Dockerfile"
    file.write_text(MANUAL.replace("WORKDIR /application", f"WORKDIR {target}"))
    after = rewritten(imgopt, file, "--select", "unstable-layers")
    own = "/layers/root/${MODULE}/out"
    assert re.findall(r"(?m)^COPY --from=builder (\S+) /$", after) == [
        f"{own}/{layer}/"
        for layer in ("dependencies", "spring-boot-loader", "snapshot-dependencies", "application")
    ]
    final = after.rpartition("\nFROM ")[2]
    assert final.index("\nARG MODULE=orders\n") < final.index("\nCOPY ")
    run = after.partition("\nRUN mkdir")[2].partition("\n\n")[0]
    assert run.count(own) == run.count(f'"{own}')  # what an argument holds may have a blank
    file.write_text(after)
    assert rewritten(imgopt, file, "--select", "unstable-layers") == after


BUILT = """\
FROM maven:3.9-eclipse-temurin-17
WORKDIR /app
COPY . .
RUN mvn -q package
ENTRYPOINT ["java", "-jar", "target/app.jar"]
"""


@pytest.mark.parametrize("directory", ["config", "con;touch x", "a&b", "(a)", "a>b", "-a", "it's", "$a"])
def test_directories_that_a_split_takes_whole(repository: Path, imgopt: Imgopt, directory: str) -> None:
    """The original has one stage, of which nothing is handed on."""
    home = repository / "orders"
    file = module(home, BUILT)
    (home / "pom.xml").write_text(
        "<project><parent><groupId>org.springframework.boot</groupId>"
        "<artifactId>spring-boot-starter-parent</artifactId><version>3.3.5</version></parent>"
        "<artifactId>app</artifactId><version>1</version><build><finalName>app</finalName><plugins><plugin>"
        "<groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId>"
        "</plugin></plugins></build></project>"
    )
    (home / directory).mkdir()
    (home / directory / "application.yml").write_text("a: 1\n")
    (home / "src" / "main" / "java").mkdir(parents=True)
    (home / "src" / "main" / "java" / "App.java").write_text("class App {}\n")
    after = rewritten(imgopt, file, "--select", "build-tools", "--unsafe")
    laid_out = next(line for line in after.splitlines() if line.startswith("RUN mkdir"))
    into = "/handed-on/orders/out/app"
    assert shlex.split(laid_out) == [
        *("RUN", "mkdir", "-p", into, "&&", "cp", "-a", f"/app/{directory}", f"{into}/")
    ]
    copied = [
        [expand(word.text, {}).value for word in each.words]
        for each in parse(after).stages[-1].instructions
        if each.keyword == "COPY"
    ]
    assert [f"{into}/{directory}/", f"/app/{directory}/"] in copied
    punctuation = shlex.shlex(laid_out, posix=True, punctuation_chars=True)
    punctuation.whitespace_split = True
    assert [token for token in punctuation if set(token) <= set("();<>|&")] == ["&&"]
    file.write_text(after)
    assert rewritten(imgopt, file, "--select", "build-tools", "--unsafe") == after
