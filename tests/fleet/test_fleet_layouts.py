"""Modules and their Dockerfiles as public repositories lay them out: who ships whose archive."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import written
from fleet_repositories import dockerfile, pom, reactor

from imgopt.fleet.images import Found, find_images
from imgopt.fleet.modules import find_modules
from imgopt.pipelines.platforms import Commands


def found(root: Path) -> Found:
    return find_images(find_modules(root), Commands())


def shown(root: Path) -> dict[str, str]:
    """Each module with its Dockerfile."""
    return {
        image.module.directory: image.dockerfile.relative_to(root).as_posix() for image in found(root).images
    }


def test_beside_each_module(tmp_path: Path) -> None:
    files = {f"{name}/Dockerfile": dockerfile("target/*.jar") for name in ("auth", "gateway")}
    reactor(tmp_path, ["auth", "gateway"], **files)
    assert shown(tmp_path) == {"auth": "auth/Dockerfile", "gateway": "gateway/Dockerfile"}


def test_modules_within_modules(tmp_path: Path) -> None:
    written(
        tmp_path,
        **{
            "pom.xml": pom("shop", modules=["shop-auth", "shop-modules"], parent=None),
            "shop-auth/pom.xml": pom("shop-auth", parent="shop", boot=True),
            "shop-auth/Dockerfile": dockerfile("./target/shop-auth.jar"),
            "shop-modules/pom.xml": pom("shop-modules", parent="shop", modules=["shop-system"]),
            "shop-modules/shop-system/pom.xml": pom("shop-system", parent="shop-modules", boot=True),
            "shop-modules/shop-system/Dockerfile": dockerfile("./target/shop-system.jar"),
        },
    )
    assert shown(tmp_path) == {
        "shop-auth": "shop-auth/Dockerfile",
        "shop-modules/shop-system": "shop-modules/shop-system/Dockerfile",
    }


def test_a_folder_of_dockerfiles_by_what_they_copy_in_any_case(tmp_path: Path) -> None:
    # jars are copied beside the Dockerfile by a script; short names of folders, long ones of archives
    reactor(
        tmp_path,
        ["shop-auth", "shop-modules/shop-system"],
        **{
            "docker/shop/auth/dockerfile": dockerfile("./jar/shop-auth.jar"),
            "docker/shop/modules/system/dockerfile": dockerfile("./jar/shop-system.jar"),
            "docker/mysql/dockerfile": "FROM mysql:8\nCOPY ./db/*.sql /docker-entrypoint-initdb.d\n",
        },
    )
    assert shown(tmp_path) == {
        "shop-auth": "docker/shop/auth/dockerfile",
        "shop-modules/shop-system": "docker/shop/modules/system/dockerfile",
    }
    assert [(each.what, each.why) for each in found(tmp_path).left_out] == [
        ("docker/mysql/dockerfile", "copies no archive of a module")
    ]


def test_two_sets_for_the_same_modules_are_not_added_up(tmp_path: Path) -> None:
    reactor(
        tmp_path,
        ["shop-auth", "shop-gateway"],
        **{
            "shop-auth/Dockerfile": dockerfile("target/*.jar"),
            "shop-gateway/Dockerfile": dockerfile("target/*.jar"),
            "docker/auth/Dockerfile": dockerfile("./jar/shop-auth.jar"),
            "docker/gateway/Dockerfile": dockerfile("./jar/shop-gateway.jar"),
            "Jenkinsfile": (
                "pipeline { agent any\n stages { stage('images') { steps {\n"
                "  sh 'cp shop-auth/target/*.jar docker/auth/jar/ && docker build -t hub/auth:1 docker/auth'\n"
                "  sh 'docker build -t hub/gateway:1 docker/gateway'\n"
                "} } } }\n"
            ),
        },
    )
    answer = found(tmp_path)
    assert shown(tmp_path) == {
        "shop-auth": "docker/auth/Dockerfile",
        "shop-gateway": "docker/gateway/Dockerfile",
    }
    assert [image.source for image in answer.images] == ["Jenkinsfile:3", "Jenkinsfile:4"]
    assert [(each.what, each.module) for each in answer.left_out] == [
        ("shop-auth/Dockerfile", "shop-auth"),
        ("shop-gateway/Dockerfile", "shop-gateway"),
    ]
    assert (
        "the one that CI builds was taken, docker/auth/Dockerfile (Jenkinsfile:3)" in answer.left_out[0].why
    )


SHARED = (
    "FROM maven:3.9-eclipse-temurin-21 AS build\nARG MODULE\nWORKDIR /src\nCOPY . .\nRUN mvn -pl $MODULE -am package\n"
    "FROM eclipse-temurin:21-jre\nARG MODULE\nCOPY --from=build /src/${MODULE}/target/*.jar /app.jar\n"
    'ENTRYPOINT ["java", "-jar", "/app.jar"]\n'
)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "compose.yaml",
            "services:\n"
            "  auth:\n    build:\n      context: .\n      args:\n        MODULE: auth\n"
            "  gateway:\n    build:\n      context: .\n      args:\n        - MODULE=gateway\n",
        ),
        (
            "docker-bake.hcl",
            'target "base" {\n  context = "."\n}\n'
            'target "auth" {\n  inherits = ["base"]\n  args = { MODULE = "auth" }\n}\n'
            'target "gateway" {\n  inherits = ["base"]\n  args = {\n    MODULE = "gateway"\n  }\n}\n',
        ),
        (
            ".gitlab-ci.yml",
            "images:\n  parallel:\n    matrix:\n      - MODULE: [auth, gateway]\n"
            "  script:\n    - docker build --build-arg MODULE=$MODULE -t hub/$MODULE:1 .\n",
        ),
        (
            ".github/workflows/images.yml",
            "on: push\njobs:\n  images:\n    runs-on: ubuntu-latest\n    strategy:\n      matrix:\n        module: [auth, gateway]\n"
            "    steps:\n      - uses: actions/checkout@v4\n      - uses: docker/build-push-action@v6\n        with:\n"
            "          context: .\n          push: true\n          tags: hub/${{ matrix.module }}:1\n"
            "          build-args: |\n            MODULE=${{ matrix.module }}\n",
        ),
        ("build.sh", "for m in auth gateway; do docker build --build-arg MODULE=$m -t hub/$m:1 .; done\n"),
    ],
    ids=["compose", "bake", "gitlab", "github", "script"],
)
def test_one_file_for_all_by_its_arguments(tmp_path: Path, file: str, text: str) -> None:
    reactor(tmp_path, ["auth", "gateway"], **{"Dockerfile": SHARED, file: text})
    answer = found(tmp_path)
    assert [(image.module.directory, dict(image.args)) for image in answer.images] == [
        ("auth", {"MODULE": "auth"}),
        ("gateway", {"MODULE": "gateway"}),
    ]
    assert answer.left_out == ()


def test_one_file_for_all_by_the_path_of_an_archive(tmp_path: Path) -> None:
    reactor(
        tmp_path,
        ["auth", "gateway"],
        **{
            "docker/Dockerfile": "FROM eclipse-temurin:21-jre\nARG JAR_FILE\nCOPY ${JAR_FILE} /app.jar\n"
            'ENTRYPOINT ["java", "-jar", "/app.jar"]\n',
            "Makefile": "images:\n"
            "\tdocker build -f docker/Dockerfile --build-arg JAR_FILE=auth/target/auth-1.0.jar -t hub/auth .\n"
            "\tdocker build -f docker/Dockerfile --build-arg JAR_FILE=gateway/target/gateway-1.0.jar -t hub/gw .\n",
        },
    )
    assert [image.module.directory for image in found(tmp_path).images] == ["auth", "gateway"]


def test_a_stage_for_each_module(tmp_path: Path) -> None:
    stages = "".join(
        f"FROM eclipse-temurin:21-jre AS {name}\nCOPY {name}/target/*.jar /app.jar\n"
        'ENTRYPOINT ["java", "-jar", "/app.jar"]\n'
        for name in ("auth", "gateway")
    )
    services = "".join(
        f"  {name}:\n    build:\n      context: .\n      target: {name}\n" for name in ("auth", "gateway")
    )
    reactor(
        tmp_path,
        ["auth", "gateway"],
        **{"Dockerfile": stages, "docker-compose.yml": f"services:\n{services}"},
    )
    assert [(image.module.directory, image.target) for image in found(tmp_path).images] == [
        ("auth", "auth"),
        ("gateway", "gateway"),
    ]


def test_names_behind_and_before_the_word_dockerfile(tmp_path: Path) -> None:
    text = 'FROM eclipse-temurin:21-jre\nCOPY app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    reactor(
        tmp_path, ["shop-auth", "shop-gateway"], **{"Dockerfile.auth": text, "ci/gateway.Dockerfile": text}
    )
    assert shown(tmp_path) == {"shop-auth": "Dockerfile.auth", "shop-gateway": "ci/gateway.Dockerfile"}


def test_gradle_by_lists_and_project_directories(tmp_path: Path) -> None:
    script = 'plugins {\n  id "org.springframework.boot" version "3.5.4"\n}\n'
    written(
        tmp_path,
        **{
            "settings.gradle.kts": 'rootProject.name = "shop"\nlistOf("auth", "gateway").forEach {\n  include(it)\n'
            '  project(":$it").projectDir = File("$rootDir/services/$it")\n}\ninclude(":common")\n',
            "services/auth/build.gradle": script + 'dependencies {\n  implementation project(":common")\n}\n',
            "services/auth/Dockerfile": dockerfile("build/libs/*.jar"),
            "services/gateway/build.gradle": script,
            "services/gateway/Dockerfile": dockerfile("services/gateway/build/libs/gateway.jar"),
            "common/build.gradle": "plugins {\n  id 'java-library'\n}\n",
        },
    )
    assert shown(tmp_path) == {
        "services/auth": "services/auth/Dockerfile",
        "services/gateway": "services/gateway/Dockerfile",
    }
    modules = {module.directory: module for module in find_modules(tmp_path).modules}
    assert modules["services/auth"].needs == {".", "common"}


def test_gradle_that_finds_its_modules_when_it_runs(tmp_path: Path) -> None:
    written(
        tmp_path,
        **{
            "settings.gradle": "rootDir.eachDir { if (new File(it, 'build.gradle').exists()) include it.name }\n",
            "auth/build.gradle": "plugins { id 'org.springframework.boot' version '3.5.4' }\n",
            "auth/Dockerfile": dockerfile("build/libs/auth.jar"),
        },
    )
    assert shown(tmp_path) == {"auth": "auth/Dockerfile"}
    assert "finds its modules when it runs" in find_modules(tmp_path).remarks[0]


def test_services_without_a_build_above_them(tmp_path: Path) -> None:
    files = {
        f"{name}/pom.xml": pom(name, parent=None, boot=True) for name in ("auth-service", "account-service")
    }
    files |= {
        f"{name}/Dockerfile": dockerfile(f"./target/{name}.jar")
        for name in ("auth-service", "account-service")
    }
    written(tmp_path, **files)
    assert shown(tmp_path) == {
        "account-service": "account-service/Dockerfile",
        "auth-service": "auth-service/Dockerfile",
    }


def test_a_backend_below_the_repository(tmp_path: Path) -> None:
    reactor(
        tmp_path / "backend", ["auth"], **{"auth/Dockerfile": dockerfile("backend/auth/target/auth-1.0.jar")}
    )
    written(tmp_path, **{"web/Dockerfile": "FROM nginx\nCOPY dist /usr/share/nginx/html\n"})
    assert shown(tmp_path) == {"backend/auth": "backend/auth/Dockerfile"}


def test_modules_of_profiles_count_and_say_so(tmp_path: Path) -> None:
    profile = (
        "<profiles><profile><id>cloud</id><modules><module>gateway</module></modules></profile></profiles>"
    )
    reactor(tmp_path, ["auth"], **{"gateway/pom.xml": pom("gateway", boot=True)})
    (tmp_path / "pom.xml").write_text(pom("platform", modules=["auth"], parent=None, more=profile))
    modules = {each.directory: each.profile for each in find_modules(tmp_path).modules}
    assert modules == {".": None, "auth": None, "gateway": "cloud"}


def test_a_module_without_a_dockerfile_is_named(tmp_path: Path) -> None:
    reactor(tmp_path, ["auth", "job"], **{"auth/Dockerfile": dockerfile("target/*.jar")})
    (left,) = found(tmp_path).left_out
    assert (left.what, left.why) == ("job", "no Dockerfile here ships its archive")


def test_a_kaniko_loop_of_a_jenkinsfile(tmp_path: Path) -> None:
    reactor(
        tmp_path,
        ["shop-auth", "modules/shop-user"],
        **{
            "shop-auth/Dockerfile": dockerfile("target/*.jar"),
            "modules/shop-user/Dockerfile": dockerfile("target/*.jar"),
            "Jenkinsfile": (
                "pipeline { agent any\n stages { stage('images') { steps { container('kaniko') { script {\n"
                "  def modules = [[name: 'shop-auth', path: 'shop-auth'], [name: 'shop-user', path: 'modules/shop-user']]\n"
                "  modules.each { m ->\n"
                '    sh "/kaniko/executor --dockerfile=${WORKSPACE}/${m.path}/Dockerfile --context=dir://${WORKSPACE}/${m.path} '
                '--destination=hub.corp/shop/${m.name}:1"\n'
                "  }\n} } } } } }\n"
            ),
        },
    )
    images = found(tmp_path).images
    assert [(image.module.directory, image.by, image.names) for image in images] == [
        ("shop-auth", "ci", ("hub.corp/shop/shop-auth:1",)),
        ("modules/shop-user", "ci", ("hub.corp/shop/shop-user:1",)),
    ]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (
            "${ARTIFACT_NAME}.jar",
            "which module's archive it copies depends on ARTIFACT_NAME, which no build command here sets",
        ),
        ("some-other.jar", "whose archive it copies cannot be told by its paths and names"),
        ("dist", "copies no archive of a module"),
    ],
)
def test_why_a_dockerfile_is_no_modules(tmp_path: Path, source: str, why: str) -> None:
    text = f"FROM eclipse-temurin:21-jre\nARG ARTIFACT_NAME\nCOPY {source} /app.jar\n"
    reactor(tmp_path, ["auth", "gateway"], **{"docker/Dockerfile": text})
    assert next((each.what, each.why) for each in found(tmp_path).left_out) == ("docker/Dockerfile", why)


SCENE = Path(__file__).resolve().parents[2] / "fixtures" / "scene"
THIRTEEN = [
    *("gateway", "auth", "admin"),
    *(
        f"modules/{name}"
        for name in "user order product cart payment search coupon stock notice report".split()
    ),
]


@pytest.mark.parametrize("jenkinsfile", sorted(path.name for path in SCENE.glob("*enkinsfile*")))
def test_thirteen_modules_by_the_loops_of_jenkinsfiles(tmp_path: Path, jenkinsfile: str) -> None:
    files = {f"{name}/Dockerfile": dockerfile("target/*.jar") for name in THIRTEEN}
    files |= {path.name: path.read_text() for path in SCENE.glob("*.groovy")}
    reactor(tmp_path, THIRTEEN, **files, Jenkinsfile=(SCENE / jenkinsfile).read_text())
    answer = found(tmp_path)
    assert sorted(image.module.directory for image in answer.images if image.by == "ci") == sorted(THIRTEEN)
    assert answer.left_out == ()
