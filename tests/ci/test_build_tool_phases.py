"""Images that a build file binds to a phase of Maven or to a task of Gradle: `mvn deploy` pushes them, without a word about images
in the CI file."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from command_line import Imgopt, imgopt
from test_shell_forms import DOCKERFILE, Form, look, write

__all__ = ["imgopt"]


def pom(
    plugins: str = "",
    *,
    name: str = "app",
    more: str = "",
    packaging: str = "jar",
    parent: str = "",
    managed: str = "",
) -> str:
    listed = f"<plugins>{plugins}</plugins>" if plugins else ""
    managed = f"<pluginManagement><plugins>{managed}</plugins></pluginManagement>" if managed else ""
    group = "" if parent else "<groupId>g</groupId><version>1.0</version>"
    return (
        f"<project><modelVersion>4.0.0</modelVersion>{parent}{group}<artifactId>{name}</artifactId>"
        f"<packaging>{packaging}</packaging>{more}<build>{managed}{listed}</build></project>"
    )


def plugin(coordinates: str, goals: str = "", *, phase: str = "", said: str = "", more: str = "") -> str:
    group, artifact = coordinates.split(":")
    listed = "".join(f"<goal>{goal}</goal>" for goal in goals.split())
    phase = f"<phase>{phase}</phase>" if phase else ""
    bound = (
        f"<executions><execution><id>i</id>{phase}<goals>{listed}</goals></execution></executions>"
        if goals
        else ""
    )
    return f"<plugin><groupId>{group}</groupId><artifactId>{artifact}</artifactId><configuration>{said}</configuration>{bound}{more}</plugin>"


JIB, BOOT = "com.google.cloud.tools:jib-maven-plugin", "org.springframework.boot:spring-boot-maven-plugin"
DOCKERFILES, SPOTIFY = "com.spotify:dockerfile-maven-plugin", "com.spotify:docker-maven-plugin"
FABRIC8, JKUBE = "io.fabric8:docker-maven-plugin", "org.eclipse.jkube:kubernetes-maven-plugin"
TO = "<to><image>r/${project.artifactId}:${project.version}</image></to>"
REPOSITORY = "<repository>r/${project.artifactId}</repository><tag>${project.version}</tag>"
PARENT = "<parent><groupId>g</groupId><artifactId>all</artifactId><version>1.0</version></parent>"
IMAGES = "<images><image><name>r/app:1</name><build><dockerFileDir>${project.basedir}/docker</dockerFileDir></build></image></images>"
PUBLISHED = "<image><name>r/app:1</name><publish>true</publish></image>"


def profile(name: str, plugins: str, *, activation: str = "") -> str:
    return f"<profiles><profile><id>{name}</id>{activation}<build><plugins>{plugins}</plugins></build></profile></profiles>"


def jib(phase: str = "package", said: str = TO) -> str:
    return plugin(JIB, "build", phase=phase, said=said)


REACTOR = {
    "pom.xml": pom(
        name="all", packaging="pom", more="<modules><module>api</module><module>web</module><module>common</module></modules>",
        managed=plugin(JIB, "build", phase="deploy", said=TO),
    ),
    "api/pom.xml": pom(plugin(JIB), name="api", parent=PARENT, more="<dependencies><dependency><groupId>g</groupId><artifactId>web</artifactId></dependency></dependencies>"),
    "web/pom.xml": pom(plugin(JIB), name="web", parent=PARENT),
    "common/pom.xml": pom(name="common", parent=PARENT),
}  # fmt: skip
INHERITED = {
    **REACTOR,
    "pom.xml": pom(plugin(JIB, "build", phase="deploy", said=TO), name="all", packaging="pom", more="<modules><module>api</module><module>web</module></modules>"),
}  # fmt: skip
LOCAL = {
    **INHERITED,
    "pom.xml": INHERITED["pom.xml"].replace(
        "</configuration>", "</configuration><inherited>false</inherited>"
    ),
}
MAVEN = [
    Form("jib-bound-to-package", "mvn -B clean package", ("? -> r/app:1.0",), unjudged="Jib makes it", files={"pom.xml": pom(jib())}),
    Form("jib-bound-to-package-is-not-reached", "mvn -B test", (), files={"pom.xml": pom(jib())}),
    Form("jib-bound-to-deploy-is-not-reached", "./mvnw install", (), files={"pom.xml": pom(jib("deploy"))}),
    Form("jib-without-a-phase-runs-nowhere", "mvn deploy", (), files={"pom.xml": pom(jib(""))}),
    Form("jib-phase-none", "mvn deploy", (), files={"pom.xml": pom(jib("none"))}),
    Form("jib-that-stays", "mvn package", (), files={"pom.xml": pom(plugin(JIB, "dockerBuild", phase="package", said=TO))}),
    Form("jib-skipped-by-the-call", "mvn package -Djib.skip", (), files={"pom.xml": pom(jib())}),
    Form("jib-named-and-skipped-by-the-call", "mvn compile jib:build -Djib.skip=true", (), files={"pom.xml": pom(jib())}),
    Form("jib-named-and-skipped-by-the-pom", "mvn compile jib:build", (), files={"pom.xml": pom(jib(), more="<properties><jib.skip>true</jib.skip></properties>")}),
    Form("jib-not-skipped-by-the-call", "mvn package -Djib.skip=false", ("? -> r/app:1.0",), unjudged="Jib", files={"pom.xml": pom(jib())}),
    Form("jib-skipped-by-the-pom", "mvn package", (), files={"pom.xml": pom(jib(said=f"{TO}<skip>true</skip>"))}),
    Form("jib-skipped-by-a-property", "mvn package", (), files={"pom.xml": pom(jib(said=f"{TO}<skip>${{no.image}}</skip>"), more="<properties><no.image>true</no.image></properties>")}),
    Form("jib-asked-for-by-a-property", "mvn package -Dno.image=false", ("? -> r/app:1.0",), unjudged="Jib", files={"pom.xml": pom(jib(said=f"{TO}<skip>${{no.image}}</skip>"), more="<properties><no.image>true</no.image></properties>")}),
    Form("jib-only-managed", "mvn deploy", (), files={"pom.xml": pom(managed=plugin(JIB, "build", phase="package", said=TO))}),
    Form("name-by-the-call", "mvn package -Djib.to.image=r/x:2", ("? -> r/x:2",), unjudged="Jib", files={"pom.xml": pom(jib(said=""))}),
    Form("profile-asked-for", "mvn package -Pimage,prod", ("? -> r/app:1.0",), unjudged="Jib", files={"pom.xml": pom(more=profile("image", jib()))}),
    Form("profile-asked-for-apart", "mvn package -P image", ("? -> r/app:1.0",), unjudged="Jib", files={"pom.xml": pom(more=profile("image", jib()))}),
    Form("profile-not-asked-for", "mvn package -Pprod", (), files={"pom.xml": pom(more=profile("image", jib()))}),
    Form("profile-by-default", "mvn package", ("? -> r/app:1.0",), unjudged="Jib", files={"pom.xml": pom(more=profile("image", jib(), activation="<activation><activeByDefault>true</activeByDefault></activation>"))}),
    Form("profile-by-default-switched-off", "mvn package -P '!image'", (), files={"pom.xml": pom(more=profile("image", jib(), activation="<activation><activeByDefault>true</activeByDefault></activation>"))}),
    Form("profile-by-property", "mvn package -Ddocker", ("? -> r/app:1.0",), unjudged="Jib", files={"pom.xml": pom(more=profile("image", jib(), activation="<activation><property><name>docker</name></property></activation>"))}),
    Form("profile-without-its-property", "mvn package", (), files={"pom.xml": pom(more=profile("image", jib(), activation="<activation><property><name>docker</name></property></activation>"))}),
    Form("profile-of-the-machine", "mvn package", (), unjudged="whether the profile image is on, the machine decides", files={"pom.xml": pom(more=profile("image", jib(), activation="<activation><os><family>unix</family></os></activation>"))}),
    Form("profile-of-a-variable", "mvn package -P$ENVIRONMENT", (), unjudged="which profile $ENVIRONMENT is", files={"pom.xml": pom(more=profile("image", jib()))}),
    Form("dockerfile-maven-by-default", "mvn deploy", ("Dockerfile -> r/app:1.0",), files={"pom.xml": pom(plugin(DOCKERFILES, "build push", said=REPOSITORY)), "Dockerfile": DOCKERFILE}),
    Form("dockerfile-maven-builds-only", "mvn install", (), files={"pom.xml": pom(plugin(DOCKERFILES, "build push", said=REPOSITORY)), "Dockerfile": DOCKERFILE}),
    Form("dockerfile-maven-skips-the-push", "mvn deploy -Ddockerfile.push.skip", (), files={"pom.xml": pom(plugin(DOCKERFILES, "build push", said=REPOSITORY)), "Dockerfile": DOCKERFILE}),
    Form("dockerfile-maven-elsewhere", "mvn deploy", ("docker/app.Dockerfile -> r/app:1.0",), files={"pom.xml": pom(plugin(DOCKERFILES, "build push", said=REPOSITORY + "<contextDirectory>docker</contextDirectory><dockerfile>app.Dockerfile</dockerfile>")), "docker/app.Dockerfile": DOCKERFILE}),
    Form("fabric8-by-default", "mvn deploy", ("docker/Dockerfile -> r/app:1",), files={"pom.xml": pom(plugin(FABRIC8, "build push", said=IMAGES)), "docker/Dockerfile": DOCKERFILE}),
    Form("fabric8-of-src-main-docker", "mvn deploy", ("src/main/docker/a/Dockerfile -> r/app:1",), files={"pom.xml": pom(plugin(FABRIC8, "build push", said=IMAGES.replace("${project.basedir}/docker", "a"))), "src/main/docker/a/Dockerfile": DOCKERFILE}),
    Form("fabric8-two-images", "mvn deploy", ("docker/Dockerfile -> r/app:1", "? -> host.example/b"), unjudged="the build files say", files={"pom.xml": pom(plugin(FABRIC8, "build push", said=IMAGES.replace("</images>", "<image><name>b</name><registry>host.example</registry><build><from>alpine</from></build></image><image><name>db</name></image></images>"))), "docker/Dockerfile": DOCKERFILE}),
    Form("fabric8-simple", "mvn deploy", ("Dockerfile -> r/app:2",), files={"pom.xml": pom(plugin(FABRIC8, "build push"), more="<properties><docker.name>r/app:2</docker.name></properties>"), "Dockerfile": DOCKERFILE}),
    Form("fabric8-skips", "mvn deploy -Ddocker.skip", (), files={"pom.xml": pom(plugin(FABRIC8, "build push", said=IMAGES)), "docker/Dockerfile": DOCKERFILE}),
    Form("fabric8-skips-the-push", "mvn deploy -Ddocker.skip.push=true", (), files={"pom.xml": pom(plugin(FABRIC8, "build push", said=IMAGES)), "docker/Dockerfile": DOCKERFILE}),
    Form("fabric8-skip-of-a-property-of-its-own", "mvn deploy -DskipPush=true", (), files={"pom.xml": pom(plugin(FABRIC8, "build push", said=IMAGES + "<skipPush>${skipPush}</skipPush>")), "docker/Dockerfile": DOCKERFILE}),
    Form("fabric8-named-in-the-call", "mvn package docker:build docker:push", ("docker/Dockerfile -> r/app:1",), files={"pom.xml": pom(plugin(FABRIC8, said=IMAGES)), "docker/Dockerfile": DOCKERFILE}),
    Form("spotify-pushes-as-it-builds", "mvn package", ("src/main/docker/Dockerfile -> r/app",), files={"pom.xml": pom(plugin(SPOTIFY, "build", phase="package", said="<imageName>r/app</imageName><dockerDirectory>src/main/docker</dockerDirectory><pushImage>true</pushImage>")), "src/main/docker/Dockerfile": DOCKERFILE}),
    Form("spotify-only-builds", "mvn package", (), files={"pom.xml": pom(plugin(SPOTIFY, "build", phase="package", said="<imageName>r/app</imageName><dockerDirectory>src/main/docker</dockerDirectory>")), "src/main/docker/Dockerfile": DOCKERFILE}),
    Form("build-image-that-publishes", "mvn package", ("? -> r/app:1",), unjudged="buildpacks", files={"pom.xml": pom(plugin(BOOT, "build-image-no-fork", said=PUBLISHED))}),
    Form("build-image-that-stays", "mvn deploy", (), files={"pom.xml": pom(plugin(BOOT, "build-image-no-fork", said="<image><name>r/app:1</name></image>"))}),
    Form("build-image-published-by-the-call", "mvn package -Dspring-boot.build-image.publish=true", ("? -> r/app:1",), unjudged="buildpacks", files={"pom.xml": pom(plugin(BOOT, "build-image", said="<image><name>r/app:1</name></image>"))}),
    Form("jkube-pushes-as-it-installs", "mvn install", ("? -> None",), unjudged="the build files say", files={"pom.xml": pom(plugin(JKUBE, "resource build push"))}),
    Form("jkube-not-reached", "mvn verify", (), files={"pom.xml": pom(plugin(JKUBE, "resource build push"))}),
    Form("reactor", "mvn deploy", ("? -> r/api:1.0", "? -> r/web:1.0"), unjudged="Jib", files=REACTOR, modules=()),
    Form("reactor-one-module", "mvn -pl web deploy", ("? -> r/web:1.0",), unjudged="Jib", files=REACTOR, modules=()),
    Form("reactor-by-artifact", "mvn deploy -pl :api", ("? -> r/api:1.0",), unjudged="Jib", files=REACTOR, modules=()),
    Form("reactor-with-what-it-needs", "mvn deploy -pl api -am", ("? -> r/api:1.0", "? -> r/web:1.0"), unjudged="Jib", files=REACTOR, modules=()),
    Form("reactor-without-one", "mvn deploy -pl '!api'", ("? -> r/web:1.0",), unjudged="Jib", files=REACTOR, modules=()),
    Form("reactor-of-its-own-directory", "cd web && mvn deploy", ("? -> r/web:1.0",), unjudged="Jib", files=REACTOR, modules=()),
    Form("reactor-by-file", "mvn -f web/pom.xml deploy", ("? -> r/web:1.0",), unjudged="Jib", files=REACTOR, modules=()),
    Form("reactor-without-modules", "mvn -N deploy", (), files=REACTOR, modules=()),
    Form("inherited-from-the-parent", "mvn deploy", ("? -> r/api:1.0", "? -> r/web:1.0"), unjudged="Jib", files=INHERITED, modules=()),
    Form("not-inherited", "mvn deploy", (), files={**LOCAL, "api/pom.xml": pom(name="api", parent=PARENT), "web/pom.xml": pom(name="web", parent=PARENT)}, modules=()),
    Form("the-module-says-none", "mvn deploy", ("? -> r/web:1.0",), unjudged="Jib", files={**INHERITED, "api/pom.xml": pom(plugin(JIB, more="<executions><execution><id>i</id><phase>none</phase></execution></executions>"), name="api", parent=PARENT)}, modules=()),
    Form("release-plugin", "mvn -B release:prepare release:perform", ("? -> r/app:1.0",), unjudged="Jib", files={"pom.xml": pom(jib("deploy"))}),
    Form("maven-config", "mvn package", ("? -> r/app:1.0",), unjudged="Jib", files={"pom.xml": pom(more=profile("image", jib())), ".mvn/maven.config": "-B\n-Pimage\n"}),
    Form("no-pom", "mvn -B deploy", (), unjudged="mvn deploy is not followed: there is no pom.xml in this repository"),
    Form("no-pom-and-tests", "mvn -B test", ()),
    Form("no-pom-and-another-push", "mvn -B package\n" + "docker build -t r/api:1 api\ndocker push r/api:1", ("api/Dockerfile -> r/api:1",)),
    Form("pom-that-is-broken", "mvn deploy", (), unjudged="pom.xml cannot be read", files={"pom.xml": "<project><"}),
    Form("parent-elsewhere", "mvn deploy", (), unjudged="its parent corp:base is not in this repository", files={"pom.xml": pom(parent="<parent><groupId>corp</groupId><artifactId>base</artifactId><version>1</version></parent>")}),
    Form("parent-of-spring-boot", "mvn deploy", (), files={"pom.xml": pom(plugin(BOOT), parent="<parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId><version>3.2.0</version></parent>")}),
    Form("pom-out-of-the-repository", "mvn -f ../../other/pom.xml deploy", (), unjudged="is not followed"),
]  # fmt: skip
GRADLE = [
    Form("gradle-build-ends-with-jib", "./gradlew build", ("? -> None",), unjudged="Jib", files={"build.gradle": "build.finalizedBy 'jib'\n"}),
    Form("gradle-build-depends", "./gradlew build", ("? -> None",), unjudged="Jib", files={"build.gradle.kts": "tasks.build.get().dependsOn(tasks.jib)\n"}),
    Form("gradle-named", "./gradlew build", (), files={"build.gradle.kts": 'tasks.named("build") {\n    finalizedBy("jibDockerBuild")\n}\n'}),
    Form("gradle-publish", "gradle publish", ("? -> None",), unjudged="Jib", files={"build.gradle.kts": "tasks.publish {\n    dependsOn(tasks.jib)\n}\n"}),
    Form("gradle-publish-not-asked-for", "gradle build", (), files={"build.gradle.kts": "tasks.publish {\n    dependsOn(tasks.jib)\n}\n"}),
    Form("gradle-own-task", "gradle release", ("? -> None",), unjudged="the build files say", files={"build.gradle": "tasks.register('release') {\n  dependsOn 'test', 'dockerPush'\n}\n"}),
    Form("gradle-old-task", "gradle release", ("? -> None",), unjudged="the build files say", files={"build.gradle": "task release(dependsOn: [build, dockerPushImage]) {\n}\n"}),
    Form("gradle-two-steps", "gradle all", ("? -> None",), unjudged="Jib", files={"build.gradle": "task all(dependsOn: 'assemble')\ntasks.named('assemble').configure { dependsOn(tasks.named('jib')) }\n"}),
    Form("gradle-left-out", "gradle build -x jib", (), files={"build.gradle": "build.dependsOn jib\n"}),
    Form("gradle-under-a-condition", "gradle build", (), unjudged="lets build run jib under a condition, which is not followed", files={"build.gradle.kts": 'tasks.build {\n    if (isCI) {\n        dependsOn(tasks.jib)\n    }\n}\n'}),
    Form("gradle-by-an-expression", "gradle release", (), unjudged="by an expression, which is not followed", files={"build.gradle": "task release {\n  dependsOn subprojects.collect { it.tasks.named('jib') }\n}\n"}),
    Form("gradle-published-by-the-script", "gradle bootBuildImage", ("? -> None",), unjudged="buildpacks", files={"build.gradle": "tasks.named('bootBuildImage') {\n  publish = true\n}\n"}),
    Form("gradle-published-by-a-typed-name", "gradle bootBuildImage", ("? -> None",), unjudged="buildpacks", files={"build.gradle.kts": 'tasks.named<BootBuildImage>("bootBuildImage") { publish.set(true) }\n'}),
    Form("gradle-published-in-a-line", "gradle bootBuildImage", ("? -> None",), unjudged="buildpacks", files={"build.gradle": "bootBuildImage.publish = true\n"}),
    Form("gradle-each-module", "gradle build", ("? -> None", "? -> None"), unjudged="Jib", files={"settings.gradle": "include 'api', 'web'\n", "build.gradle": "subprojects {\n  build.finalizedBy 'jib'\n}\n", "api/build.gradle": "", "web/build.gradle": ""}, modules=()),
    Form("gradle-one-module", "gradle :api:build", ("? -> None",), unjudged="Jib", files={"settings.gradle": "include 'api', 'web'\n", "build.gradle": "subprojects {\n  build.finalizedBy 'jib'\n}\n", "api/build.gradle": "", "web/build.gradle": ""}, modules=()),
    Form("gradle-no-script", "./gradlew publish", (), unjudged="there is no build.gradle where it runs"),
    Form("gradle-tests", "./gradlew check", ()),
    Form("gradle-applied", "gradle build", ("? -> None",), unjudged="Jib", files={"build.gradle": "apply from: 'gradle/images.gradle'\n", "gradle/images.gradle": "build.finalizedBy 'jib'\n"}),
    Form("gradle-applied-from-the-root", "gradle :api:build", ("? -> None",), unjudged="Jib", files={"settings.gradle": "include 'api'\n", "build.gradle": "", "api/build.gradle.kts": 'apply(from = "$rootDir/gradle/a.gradle.kts")\n', "gradle/a.gradle.kts": 'apply(from = "b.gradle.kts")\n', "gradle/b.gradle.kts": "tasks.build { dependsOn(tasks.jib) }\n"}, modules=()),
    Form("gradle-applied-by-rootproject", "gradle build", ("? -> None",), unjudged="Jib", files={"build.gradle": "apply from: rootProject.file('a.gradle')\n", "a.gradle": "subprojects {\n}\nbuild.finalizedBy 'jib'\n"}),
    Form("gradle-applied-from-elsewhere", "gradle publish", (), unjudged="build.gradle applies https://corp.example/images.gradle, which is not read", files={"build.gradle": "apply from: 'https://corp.example/images.gradle'\n"}),
    Form("gradle-applied-by-a-variable", "gradle publish", (), unjudged="applies scripts + '/a.gradle', which is not read", files={"build.gradle": "apply from: scripts + '/a.gradle'\n"}),
    Form("gradle-applied-in-a-circle", "gradle publish", (), files={"build.gradle": "apply from: 'a.gradle'\n", "a.gradle": "apply from: 'build.gradle'\napply from: 'a.gradle'\n"}),
    Form("gradle-applied-for-tests", "gradle test", (), files={"build.gradle": "apply from: 'https://corp.example/tests.gradle'\n"}),
    *(
        Form(f"gradle-runs-docker-{name}", "gradle shipIt", (), unjudged=f"lets shipIt run docker {told}, which is not followed", files={"build.gradle": text})
        for name, told, text in (
            ("by-exec", "push", "task shipIt(type: Exec) {\n  commandLine 'docker', 'push', image\n}\n"),
            ("by-a-registered-task", "push", 'tasks.register(\'shipIt\', Exec) {\n  commandLine("docker", "image", "push", image)\n}\n'),
            ("at-the-end", "build", "task shipIt {\n  doLast {\n    exec { commandLine 'sh', '-c', 'docker build -t x .' }\n  }\n}\n"),
            ("in-groovy", "push", 'task shipIt {\n  doLast { "docker push x".execute() }\n}\n'),
        )
    ),
    Form("gradle-runs-docker-elsewhere", "gradle shipIt", (), files={"build.gradle": "task other(type: Exec) {\n  commandLine 'docker', 'push', image\n}\ntask shipIt {\n  println 'docker ps'\n}\n"}),
    Form("gradle-a-remark", "gradle build", (), files={"build.gradle": "// build.finalizedBy 'jib'\nplugins { id 'java' }\n"}),
]  # fmt: skip


@pytest.mark.parametrize("form", [*MAVEN, *GRADLE], ids=lambda form: form.name)
def test_form(form: Form, imgopt: Imgopt, tmp_path: Path) -> None:
    pipeline = look(form, imgopt, tmp_path)
    assert (
        tuple(f"{each['dockerfile'] or '?'} -> {each['image']}" for each in pipeline["pushes"]) == form.pushes
    )
    told = [each["why"] for each in pipeline["unjudged"]]
    if form.unjudged is None:
        assert not any("not followed" in why for why in told), told
    else:
        assert any(form.unjudged in why for why in told), told


def test_a_deploy_that_pushes_is_no_all_clear(imgopt: Imgopt, tmp_path: Path) -> None:
    write(tmp_path / "pom.xml", pom(jib("deploy")))
    write(tmp_path / "Jenkinsfile", "node {\n  sh 'mvn -B deploy'\n}\n")
    text = imgopt("suggest", tmp_path / "Jenkinsfile").text
    assert "nothing in it builds or pushes an image" not in text
    assert "Jib makes it from the build" in " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "build.dependsOn(" * 20_000,
        "register('a', " * 20_000,
        "task a(" * 20_000,
        "tasks.x { dependsOn " * 5_000,
    ],
)
def test_a_hostile_build_script_is_read_in_one_pass(text: str, imgopt: Imgopt, tmp_path: Path) -> None:
    lines = "\n".join(textwrap.wrap(text, 4_000, drop_whitespace=False))
    write(tmp_path / "build.gradle", lines)
    write(tmp_path / "push.sh", "gradle build\n")
    assert imgopt("suggest", tmp_path / "push.sh").code == 0
