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
    assert len(copies) in (3, 4)  # of the thin layout, or of the launcher's
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
            "/extract/root/${VERSION}",
        ),
        (
            "FROM eclipse-temurin:17-jre\nARG MODULE=orders\nARG TAG=app\nCOPY $MODULE/target/$TAG.jar /app.jar\n",
            "/extract/root/${MODULE}",
        ),
        (
            "FROM eclipse-temurin:17-jre\nARG JAR_FILE=orders/target/app.jar\nCOPY $JAR_FILE /app.jar\n",
            "/extract/root/${JAR_FILE}",
        ),
        (
            "FROM eclipse-temurin:17-jre\nARG JAR_FILE=/orders/target/app.jar\nCOPY $JAR_FILE /app.jar\n",
            "/extract/root/${JAR_FILE}",
        ),
        (
            "FROM eclipse-temurin:17-jre\nARG NAME=app\nCOPY orders/target/$NAME.jar /app.jar\n",
            "/extract/root/${NAME}",
        ),
        (
            "FROM maven:3.9-eclipse-temurin-17 AS build\nARG MODULE=orders\nCOPY . /src\n"
            "RUN cd /src && mvn -pl $MODULE package && mv /src/$MODULE/target/app.jar /app.jar\n"
            "FROM busybox AS pick\nCOPY --from=build /app.jar /out/app.jar\n"
            "FROM eclipse-temurin:17-jre\nCOPY --from=pick /out/app.jar /app.jar\n",
            "/extract/root/${MODULE}",
        ),
        (
            "FROM maven:3.9-eclipse-temurin-17 AS build\nARG MODULE=orders\nCOPY . /src\n"
            "RUN cd /src && mvn -pl $MODULE package && mv /src/$MODULE/target/app.jar /app.jar\n"
            "FROM busybox AS pick\nRUN --mount=type=bind,from=build,target=/b cp /b/app.jar /app.jar\n"
            "FROM eclipse-temurin:17-jre\nCOPY --from=pick /app.jar /app.jar\n",
            "/extract/root/${MODULE}",
        ),
        ("FROM eclipse-temurin:17-jre\nENV NAME=orders\nCOPY $NAME/target/app.jar /app.jar\n", "/extract/root"),
        (
            "FROM maven:3.9-eclipse-temurin-17 AS build\nARG MODULE=orders\nARG OPTIONS=-q\nCOPY . /src\n"
            "RUN cd /src && mvn $OPTIONS -pl $MODULE package && mv /src/$MODULE/target/app.jar /app.jar\n"
            "FROM eclipse-temurin:17-jre\nCOPY --from=build /app.jar /app.jar\n",
            "/extract/root/${MODULE}",
        ),
        (
            "ARG MODULE=orders\nFROM registry.example.com/built/${MODULE}:1 AS build\n"
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
    name = expected.partition("${")[2].rstrip("}")
    for part in after.split("\nFROM ")[-2:]:  # both stages know the argument where they use it
        assert re.search(rf"^ARG {name}\b", part, re.MULTILINE), after
        assert part.index(f"\nARG {name}") < part.index("/extract/")
    file.write_text(after)
    assert rewritten(imgopt, file, "--spring-boot", "3.3.5") == after


@pytest.mark.parametrize(
    "text",
    [
        # several files: what the one image has under the name, the other has as well
        "ARG JAR_FILE=orders/target/*.jar\nCOPY $JAR_FILE /app.jar\n",
        "ARG FILE=orders/../orders/target/app.jar\nCOPY $FILE /app.jar\n",
        # no path that all stages know
        "ARG MODULE=orders\nCOPY --from=build /$MODULE.jar /app.jar\n",
    ],
)
def test_an_argument_that_cannot_stand_in_the_path_is_a_risk(
    repository: Path, imgopt: Imgopt, text: str
) -> None:
    module(repository / "orders")
    file = repository / "Dockerfile"
    build = "FROM busybox AS build\nARG MODULE=billing\nCOPY $MODULE/target/app.jar /$MODULE.jar\n"
    before = (
        (build if "=build" in text else "")
        + f"FROM eclipse-temurin:17-jre\n{text}"
        + 'ENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    file.write_text(before)
    options = ("--spring-boot", "3.3.5", "--select", "fat-jar-layer")
    run = imgopt("rewrite", file, *options)
    assert run.text == before
    told = imgopt("suggest", file, *options)
    assert "may choose another module" in " ".join(told.text.split()), told
    assert place(rewritten(imgopt, file, *options, "--unsafe")) == "/extract/root"


@pytest.mark.parametrize("value", ["target/*.jar", "target/app.jar"])
@pytest.mark.parametrize("below", ["", "orders"])
def test_an_argument_that_names_the_one_module_s_own_archive(
    repository: Path, imgopt: Imgopt, value: str, below: str
) -> None:
    """Of a Dockerfile in the module's directory, whether that or the repository is the context."""
    home = repository / below
    source = f"{below}/{value}" if below else value
    file = module(
        home,
        FAT.replace("COPY target/app.jar", f"ARG JAR_FILE={source}\nCOPY $JAR_FILE"),
        jar="target/app.jar",
    )
    if below:
        module(repository / "billing")
    after = rewritten(imgopt, file, "--context", repository)
    assert place(after) == f"/extract/{below or 'root'}"


def test_a_dockerfile_beside_its_contexts(
    repository: Path, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    (repository / "docker").mkdir()
    file = repository / "docker" / "Dockerfile"
    file.write_text(FAT)
    module(repository / "orders")
    assert place(rewritten(imgopt, file, "--context", "orders")) == "/extract/docker/context/orders"
    module(repository / "billing")
    for name in ("orders", "billing"):
        run = imgopt("rewrite", file, "--context", name, "--select", "fat-jar-layer")
        assert run.text == FAT  # both would write their own path into the one file
        told = imgopt("suggest", file, "--context", name, "--select", "fat-jar-layer")
        assert "another context may use it" in " ".join(told.text.split()), told
        text = rewritten(imgopt, file, "--context", name, "--unsafe")
        assert place(text) == f"/extract/docker/context/{name}"


def test_modules_of_gradle_need_no_build_file(repository: Path, imgopt: Imgopt) -> None:
    (repository / "settings.gradle").write_text("include 'orders', 'billing'\n")
    (repository / "build.gradle").write_text("subprojects { apply plugin: 'java' }\n")
    for name in ("orders", "billing"):
        (repository / name / "src" / "main" / "java").mkdir(parents=True)
    file = repository / "Dockerfile"
    file.write_text(
        "FROM gradle:8-jdk17 AS build\nARG MODULE=orders\nCOPY . /src\n"
        "RUN cd /src && gradle :$MODULE:bootJar && mv $MODULE/build/libs/app.jar /app.jar\n"
        + FAT.replace("target/app.jar", "--from=build /app.jar")
    )
    assert place(rewritten(imgopt, file, "--spring-boot", "3.3.5")).endswith("/${MODULE}")


def test_contexts_that_hold_nothing_but_an_archive(repository: Path, imgopt: Imgopt) -> None:
    text = FAT.replace("target/app.jar", "app.jar")
    file = repository / "docker" / "Dockerfile"
    file.parent.mkdir()
    file.write_text(text)
    for name in ("orders", "billing"):
        home = repository / "deploy" / name
        home.mkdir(parents=True)
        boot_jar(home / "app.jar", libraries={"big-1.0.jar": library(size=1_200_000)})
    options = ("--context", repository / "deploy" / "orders", "--select", "fat-jar-layer")
    assert imgopt("rewrite", file, *options).text == text
    assert place(rewritten(imgopt, file, *options, "--unsafe")) == "/extract/docker/context/deploy/orders"


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


def test_arguments_of_a_stage_below_the_one_that_unpacks(repository: Path, imgopt: Imgopt) -> None:
    """The stages that use the path get to know them."""
    module(repository / "orders")
    file = repository / "Dockerfile"
    build = "FROM busybox AS build\nARG MODULE=orders\nCOPY ${MODULE}/target/app.jar /out/app.jar\n\n"
    text = MANUAL.replace("ARG MODULE=orders\n", "").replace(
        "COPY ${MODULE}/target/app.jar", "COPY --from=build /out/app.jar"
    )
    file.write_text(build + text)
    after = rewritten(imgopt, file, "--select", "unstable-layers")
    own = "/layers/root/${MODULE}/out"
    assert after.count(f"COPY --from=builder {own}/") == 4
    for part in after.split("\nFROM ")[-2:]:
        assert part.index("\nARG MODULE=orders\n") < part.index(own)
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


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "another context may use it"),
        ("ARG MODULE=orders\nRUN mvn -q -pl $MODULE package\n", "MODULE may choose another module"),
    ],
)
def test_a_split_of_a_dockerfile_that_modules_share_is_a_risk(
    repository: Path, imgopt: Imgopt, line: str, why: str
) -> None:
    """Its directories are handed on at the Dockerfile's own place, which has no arguments in it."""
    home = repository / "orders"
    pom = (
        "<project><parent><groupId>org.springframework.boot</groupId>"
        "<artifactId>spring-boot-starter-parent</artifactId><version>3.3.5</version></parent>"
        "<artifactId>app</artifactId><version>1</version><build><finalName>app</finalName><plugins><plugin>"
        "<groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId>"
        "</plugin></plugins></build></project>"
    )
    for name in ("config", "src/main/java", "more" if line else "../billing"):
        (home / name).mkdir(parents=True)
    (home / "pom.xml").write_text(pom)
    (home / "config" / "application.yml").write_text("a: 1\n")
    (home / "src" / "main" / "java" / "App.java").write_text("class App {}\n")
    text = BUILT.replace("RUN mvn -q package\n", line or "RUN mvn -q package\n")
    own = home / "Dockerfile"
    own.write_text(text)
    options = ("--select", "build-tools")
    assert "needs --unsafe" not in imgopt("suggest", own, *options).text
    (home / "more" if line else repository / "billing").joinpath("pom.xml").write_text(pom)
    file = own
    if not line:
        file = repository / "docker" / "Dockerfile"
        file.parent.mkdir()
        file.write_text(text)
    told = imgopt("suggest", file, "--context", home, *options)
    assert why in " ".join(told.text.split()), told
    assert imgopt("rewrite", file, "--context", home, *options).text == text
