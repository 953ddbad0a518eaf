from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest

from imgopt.errors import ContextError
from imgopt.java.build_facts import BuildFacts
from imgopt.java.build_files import read_build_files
from imgopt.java.gradle import blocks, inside, without_comments


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def facts(root: Path, module: str = ".") -> BuildFacts:
    found = read_build_files(root / module, root)
    assert found is not None
    return found


# --- a single project, as start.spring.io makes it

GROOVY = """\
plugins {
\tid 'java'
\tid 'org.springframework.boot' version '3.5.4'
\tid 'io.spring.dependency-management' version '1.1.7'
}

group = 'com.example'
version = '0.0.1-SNAPSHOT'

java {
\ttoolchain {
\t\tlanguageVersion = JavaLanguageVersion.of(21)
\t}
}

repositories {
\tmavenCentral() // see https://repo.maven.apache.org
}

ext {
\tset('springCloudVersion', "2025.0.0")
\tmysqlVersion = '8.3.0'
}

dependencies {
\timplementation 'org.springframework.boot:spring-boot-starter-web'
\timplementation('org.springframework.boot:spring-boot-starter-data-jpa') {
\t\texclude group: 'org.hibernate', module: 'hibernate-core'
\t}
\truntimeOnly "com.mysql:mysql-connector-j:${mysqlVersion}"
\tcompileOnly 'org.projectlombok:lombok'
\tdevelopmentOnly 'org.springframework.boot:spring-boot-devtools'
\ttestImplementation 'org.springframework.boot:spring-boot-starter-test'
}

dependencyManagement {
\timports {
\t\tmavenBom "org.springframework.cloud:spring-cloud-dependencies:${springCloudVersion}"
\t}
}

tasks.named('test') {
\tuseJUnitPlatform()
}
"""


def test_a_generated_project(tmp_path: Path) -> None:
    write(tmp_path, {"build.gradle": GROOVY, "settings.gradle": "rootProject.name = 'orders'\n"})
    assert facts(tmp_path) == BuildFacts(
        path=str(tmp_path / "build.gradle"),
        tool="gradle",
        spring_boot="3.5.4",
        java_major=21,
        artifact="build/libs/orders-0.0.1-SNAPSHOT.jar",
        packaging="jar",
        layered=True,
        executable=False,
        libraries=(
            "org.springframework.boot:spring-boot-starter-web",
            "org.springframework.boot:spring-boot-starter-data-jpa",
            "com.mysql:mysql-connector-j:8.3.0",
        ),
        repackaged=True,
        plain=True,
        name="orders",
    )


# --- Kotlin scripts, several modules, a version catalogue

KOTLIN = {
    "settings.gradle.kts": """\
rootProject.name = "shop"
include("services:orders", ":services:stock")
include(
    "common"
)
project(":common").projectDir = file("libs/common")
""",
    "build.gradle.kts": """\
plugins {
    java
    alias(libs.plugins.spring.boot) apply false
}
allprojects {
    group = "com.shop"
    version = "1.4.2"
}
subprojects {
    apply(plugin = "java")
    configure<JavaPluginExtension> {
        sourceCompatibility = JavaVersion.VERSION_17
    }
}
project(":services:stock") {
    version = "9.9"
}
""",
    "gradle/libs.versions.toml": """\
[versions]
spring-boot = "3.3.1"
java = "21"
[libraries]
starter-web = { module = "org.springframework.boot:spring-boot-starter-web" }
redisson = { group = "org.redisson", name = "redisson", version = "3.30.0" }
postgres = "org.postgresql:postgresql:42.7.3"
[bundles]
storage = ["redisson", "postgres"]
[plugins]
spring-boot = { id = "org.springframework.boot", version.ref = "spring-boot" }
""",
    "services/orders/build.gradle.kts": """\
import org.springframework.boot.gradle.tasks.bundling.BootJar

plugins {
    alias(libs.plugins.spring.boot)
}
java {
    toolchain.languageVersion.set(JavaLanguageVersion.of(libs.versions.java.get().toInt()))
}
dependencies {
    implementation(platform(org.springframework.boot.gradle.plugin.SpringBootPlugin.BOM_COORDINATES))
    implementation(project(":common"))
    implementation(libs.starter.web)
    implementation(libs.bundles.storage)
}
tasks.named<BootJar>("bootJar") {
    archiveFileName.set("orders.jar")
    mainClass.set("com.shop.Orders")
    layered {
        enabled.set(false)
    }
}
""",
    "services/stock/build.gradle.kts": "plugins { alias(libs.plugins.spring.boot) }\ntasks.bootJar { launchScript() }\n",
    "libs/common/build.gradle.kts": "dependencies { }\n",
}


def test_a_module_with_a_version_catalogue(tmp_path: Path) -> None:
    write(tmp_path, KOTLIN)
    assert facts(tmp_path, "services/orders") == BuildFacts(
        path=str(tmp_path / "services/orders/build.gradle.kts"),
        tool="gradle",
        spring_boot="3.3.1",
        java_major=17,  # the level of the class files, not the compiler's own
        artifact="build/libs/orders.jar",
        packaging="jar",
        layered=False,
        executable=False,
        libraries=(
            "org.springframework.boot:spring-boot-starter-web",
            "org.redisson:redisson:3.30.0",
            "org.postgresql:postgresql:42.7.3",
        ),
        main_class="com.shop.Orders",
        repackaged=True,
        plain=True,
        name="orders",
    )


def test_what_the_root_project_says_of_a_module(tmp_path: Path) -> None:
    write(tmp_path, KOTLIN)
    stock = facts(tmp_path, "services/stock")
    assert stock.artifact == "build/libs/stock-9.9.jar"
    assert stock.executable is True
    assert stock.java_major == 17


def test_the_root_project_of_modules(tmp_path: Path) -> None:
    write(tmp_path, KOTLIN)
    root = facts(tmp_path)
    assert (root.packaging, root.artifact, root.repackaged) == ("pom", None, False)
    assert root.modules == ("services/orders", "services/stock", "libs/common")


def test_a_library_module(tmp_path: Path) -> None:
    write(tmp_path, KOTLIN)
    common = facts(tmp_path, "libs/common")
    assert common.repackaged is False
    assert common.artifact == "build/libs/common-1.4.2.jar"


# --- the old way: buildscript, apply plugin, compile

LEGACY = {
    "settings.gradle": "rootProject.name = 'legacy'\ninclude 'api', 'admin'\n",
    "gradle.properties": "version=3.1.0\norg.gradle.jvmargs=-Xmx2g\n",
    "build.gradle": """\
buildscript {
    ext {
        springBootVersion = '2.1.5.RELEASE'
    }
    repositories { mavenCentral() }
    dependencies {
        classpath("org.springframework.boot:spring-boot-gradle-plugin:${springBootVersion}")
    }
}
subprojects {
    apply plugin: 'java'
    apply plugin: 'org.springframework.boot'
    apply plugin: 'io.spring.dependency-management'
    sourceCompatibility = 1.8
    dependencies {
        compile('org.springframework.boot:spring-boot-starter-web')
        compile group: 'com.google.guava', name: 'guava', version: '27.1-jre'
        testCompile('junit:junit:4.12')
    }
}
""",
    "api/build.gradle": "bootJar { enabled = false }\njar { enabled = true }\n",
    "admin/build.gradle": "bootJar {\n    baseName = 'admin-server'\n    launchScript()\n}\n",
}


def test_a_project_of_the_old_kind(tmp_path: Path) -> None:
    write(tmp_path, LEGACY)
    admin = facts(tmp_path, "admin")
    assert admin.spring_boot == "2.1.5.RELEASE"
    assert admin.java_major == 8
    assert admin.artifact == "build/libs/admin-server-3.1.0.jar"
    assert (admin.layered, admin.executable) == (False, True)
    assert admin.libraries == (
        "org.springframework.boot:spring-boot-starter-web",
        "com.google.guava:guava:27.1-jre",
    )
    api = facts(tmp_path, "api")
    assert api.repackaged is False
    assert api.artifact == "build/libs/api-3.1.0.jar"


def test_a_module_is_found_through_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, LEGACY)
    monkeypatch.chdir(tmp_path / "admin")
    found = read_build_files(Path(), tmp_path)
    assert found is not None
    assert found.spring_boot == "2.1.5.RELEASE"
    monkeypatch.chdir(tmp_path)
    found = read_build_files(Path("admin"), Path())
    assert found is not None
    assert found.artifact == "build/libs/admin-server-3.1.0.jar"


def test_nothing_outside_the_repository_is_read(tmp_path: Path) -> None:
    write(tmp_path, LEGACY)
    found = read_build_files(tmp_path / "admin", tmp_path / "admin")
    assert found is not None
    assert (found.spring_boot, found.java_major, found.libraries) == (None, None, ())
    write(tmp_path, {"repository/admin/build.gradle": "", "repository/settings.gradle": ""})
    (tmp_path / "repository/build.gradle").symlink_to(tmp_path / "build.gradle")
    assert facts(tmp_path / "repository", "admin").spring_boot is None


# --- one statement at a time

BASE = "plugins { id 'org.springframework.boot' version '3.2.5' }\n"


def single(root: Path, text: str, **more: str) -> BuildFacts:
    write(root, {"build.gradle": text, "settings.gradle": "rootProject.name = 'demo'", **more})
    return facts(root)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("plugins { id 'org.springframework.boot' version '2.7.18' }", "2.7.18"),
        ('plugins { id("org.springframework.boot") version "3.0.1" }', "3.0.1"),
        ('plugins {\n id("org.springframework.boot").version("3.0.1")\n}', None),
        ('plugins { id "org.springframework.boot" version "${bootVersion}" }', "3.1.4"),
        ("plugins { id 'org.springframework.boot' version bootVersion }", "3.1.4"),
        ('plugins { id "org.springframework.boot" version "$missing" }', None),
        ("plugins { id 'org.springframework.boot' version Versions.boot }", None),
        ("plugins { id 'org.springframework.boot' version '3.+' }", None),
        ("// plugins { id 'org.springframework.boot' version '2.7.18' }", None),
        ("/* plugins { id 'org.springframework.boot' version '2.7.18' } */", None),
        (
            "dependencies { implementation platform('org.springframework.boot:spring-boot-dependencies:3.4.0') }",
            "3.4.0",
        ),
        (
            'dependencyManagement { imports { mavenBom "org.springframework.boot:spring-boot-dependencies:$bootVersion" } }',
            "3.1.4",
        ),
        ("plugins { id 'java' }", None),
    ],
)
def test_spring_boots_version(tmp_path: Path, text: str, version: str | None) -> None:
    assert single(tmp_path, text, **{"gradle.properties": "bootVersion = 3.1.4"}).spring_boot == version


def test_a_version_in_the_settings(tmp_path: Path) -> None:
    settings = (
        "pluginManagement {\n plugins {\n  id 'org.springframework.boot' version \"${springBootVersion}\"\n }\n}\n"
        "rootProject.name = 'demo'\n"
    )
    write(
        tmp_path,
        {
            "settings.gradle": settings,
            "gradle.properties": "springBootVersion=3.4.2",
            "build.gradle": "plugins { id 'org.springframework.boot' }",
        },
    )
    found = facts(tmp_path)
    assert found.spring_boot == "3.4.2"
    assert found.repackaged is True


@pytest.mark.parametrize(
    ("text", "java"),
    [
        ("sourceCompatibility = '17'", 17),
        ("sourceCompatibility = 1.8", 8),
        ("sourceCompatibility '11'", 11),
        ("sourceCompatibility = JavaVersion.VERSION_1_8", 8),
        ("java { sourceCompatibility = JavaVersion.VERSION_21 }", 21),
        ("java.sourceCompatibility = JavaVersion.VERSION_17", 17),
        ("java { sourceCompatibility = JavaVersion.toVersion('21') }", 21),
        ("sourceCompatibility = '17'\ntargetCompatibility = '11'", 11),
        ("java { toolchain { languageVersion = JavaLanguageVersion.of(25) } }", 25),
        ("java { toolchain { languageVersion.set(JavaLanguageVersion.of(17)) } }", 17),
        (
            "def javaVersion = '17'\njava { toolchain { languageVersion = JavaLanguageVersion.of(javaVersion) } }",
            17,
        ),
        ("compileJava { options.release = 11 }\nsourceCompatibility = '17'", 11),
        ("tasks.withType(JavaCompile).configureEach {\n options.release.set(17)\n}", 17),
        ("kotlin {\n jvmToolchain(21)\n}", 21),
        ('tasks.withType<KotlinCompile> { kotlinOptions { jvmTarget = "17" } }', 17),
        ("kotlin { compilerOptions { languageVersion = KotlinVersion.KOTLIN_2_0 } }", None),
        ("sourceCompatibility = Versions.java", None),
        ("plugins { id 'java' }", None),
    ],
)
def test_java(tmp_path: Path, text: str, java: int | None) -> None:
    assert single(tmp_path, text).java_major == java


@pytest.mark.parametrize(
    ("text", "artifact"),
    [
        ("", "build/libs/demo.jar"),
        ("version = '1.0'", "build/libs/demo-1.0.jar"),
        ("version '1.0'", "build/libs/demo-1.0.jar"),
        ("version = '1.0'\nproject.version = scmVersion.version", None),
        ("version = gitVersion()", None),
        ("version = System.getenv('BUILD') ?: '1.0'", None),
        ("bootJar { archiveFileName = 'app.jar' }", "build/libs/app.jar"),
        ("bootJar { archiveFileName.set('app.jar') }", "build/libs/app.jar"),
        ('bootJar {\n  archiveFileName = "${project.name}.jar"\n}', "build/libs/demo.jar"),
        (
            "version = '2'\nbootJar { archiveFileName = \"${rootProject.name}-${version}.jar\" }",
            "build/libs/demo-2.jar",
        ),
        ("bootJar { archiveFileName = project.name + '.' + \"jar\" }", "build/libs/demo.jar"),
        ('version = "${version}-x"', None),
        ('bootJar { archiveFileName = "${baseName}.jar" }', None),
        ("def n = 'x'\nbootJar { archiveFileName = \"${n}.jar\" }", "build/libs/x.jar"),
        ("bootJar.archiveFileName = 'app.jar'", "build/libs/app.jar"),
        ("bootJar { archiveName 'app.jar' }", "build/libs/app.jar"),
        ("tasks.named('bootJar') { archiveClassifier = 'boot' }", "build/libs/demo-boot.jar"),
        ("tasks { bootJar { archiveBaseName = 'app' } }\nversion = '2'", "build/libs/app-2.jar"),
        ("bootJar { archiveVersion = '' }\nversion = '2'", "build/libs/demo.jar"),
        ("archivesBaseName = 'app'", "build/libs/app.jar"),
        ("base { archivesName = 'app' }", "build/libs/app.jar"),
        ("bootJar { archiveFileName = '../app.jar' }", None),
        ("bootJar { destinationDirectory = file('out') }", None),
        ("buildDir = 'out'", None),
        ("tasks.register('x') { version = '3' }", "build/libs/demo.jar"),
    ],
)
def test_the_artifact(tmp_path: Path, text: str, artifact: str | None) -> None:
    assert single(tmp_path, BASE + text).artifact == artifact


def test_a_dot_after_a_variable_means_more_in_groovy(tmp_path: Path) -> None:
    text = 'version = "2"\ntasks.bootJar { archiveFileName = "app-$version.jar" }'
    assert single(tmp_path, BASE + text).artifact is None
    write(tmp_path / "kotlin", {"build.gradle.kts": BASE.replace("'", '"') + text, "settings.gradle.kts": ""})
    assert facts(tmp_path / "kotlin").artifact == "build/libs/app-2.jar"


def test_the_name_of_the_folder_without_settings(tmp_path: Path) -> None:
    write(tmp_path, {"orders/build.gradle": BASE})
    found = read_build_files(tmp_path / "orders", tmp_path / "orders")
    assert found is not None
    assert found.artifact == "build/libs/orders.jar"


@pytest.mark.parametrize(
    ("version", "text", "layered"),
    [
        ("2.3.12.RELEASE", "", False),
        ("2.3.12.RELEASE", "bootJar { layered() }", True),
        ("2.3.12.RELEASE", "bootJar {\n layered\n {\n }\n}", True),
        ("2.2.0.RELEASE", "bootJar { layered() }", False),
        ("3.2.5", "bootJar { layered { enabled = false } }", False),
        ("3.2.5", 'tasks.named("bootJar") { layered { enabled.set(false) } }', False),
        ("3.2.5", 'tasks.getByName<BootJar>("bootJar") {\n\tlayered {\n\t\tisEnabled = false\n\t}\n}', False),
        ("3.2.5", "tasks.withType(BootJar) { layered { enabled = false } }", False),
        ("3.2.5", "bootJar { layered { application { intoLayer('app') } } }", True),
        ("3.2.5", "other { layered { enabled = false } }", True),
    ],
)
def test_layers(tmp_path: Path, version: str, text: str, layered: bool) -> None:
    assert single(tmp_path, BASE.replace("3.2.5", version) + text).layered is layered


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "bootJar { loaderImplementation = org.springframework.boot.loader.tools.LoaderImplementation.CLASSIC }",
            ("classic", None),
        ),
        (
            "bootJar { manifest { attributes 'Main-Class': 'org.springframework.boot.loader.launch.PropertiesLauncher' } }",
            (None, "ZIP"),
        ),
        ("", (None, None)),
    ],
)
def test_loader_and_layout(tmp_path: Path, text: str, expected: tuple[str | None, str | None]) -> None:
    found = single(tmp_path, BASE + text)
    assert (found.loader, found.layout) == expected


@pytest.mark.parametrize("war", ["id 'war'", 'id("war")', "war"])
def test_a_war(tmp_path: Path, war: str) -> None:
    text = f"plugins {{\n {war}\n id 'org.springframework.boot' version '3.2.5'\n}}\nbootWar {{ archiveFileName = 'app.war' }}"
    found = single(tmp_path, text)
    assert (found.packaging, found.artifact) == ("war", "build/libs/app.war")


@pytest.mark.parametrize(
    "text", ["bootJar { enabled = false }", "bootJar.enabled = false", "tasks.bootJar {\n enabled = false\n}"]
)
def test_a_library_with_the_plugin(tmp_path: Path, text: str) -> None:
    assert single(tmp_path, BASE + text).repackaged is False


@pytest.mark.parametrize(
    ("text", "repackaged"),
    [
        ("plugins { id 'java'; id 'maven-publish' }", False),
        ("plugins { id 'com.example.java-conventions' }", None),  # buildSrc may apply anything
        ("plugins { alias(libs.plugins.unknown) }", None),
        ("plugins { id 'com.diffplug.spotless' version '6.0' }", False),
        ("plugins { id 'com.example.java-conventions' }\nbootJar { archiveFileName = 'x.jar' }", True),
        ("apply plugin: 'org.springframework.boot'", True),
        ("plugins { id 'org.springframework.boot' version '3.2.5' apply false }", False),
    ],
)
def test_repackaged(tmp_path: Path, text: str, repackaged: bool | None) -> None:
    assert single(tmp_path, text).repackaged is repackaged


@pytest.mark.parametrize(
    "text", ["springBoot { mainClass = 'a.B' }", "bootJar { mainClass = 'a.B' }", "mainClassName = 'a.B'"]
)
def test_the_main_class(tmp_path: Path, text: str) -> None:
    assert single(tmp_path, BASE + text).main_class == "a.B"


# --- bad input


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"plugins\0", "is not text"),
        (b" " * (256 * 1024 + 1), "larger than 262,144 bytes"),
        (b"a {\n}\n" * 1001, "has more than 1,000 braces"),
    ],
)
def test_a_script_that_is_none(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "build.gradle").write_bytes(data)
    with pytest.raises(ContextError) as caught:
        read_build_files(tmp_path, tmp_path)
    assert says in caught.value.message
    assert caught.value.path == str(tmp_path / "build.gradle")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "}}}}{{{{",
        "\"'''/*",
        "\ufeffplugins {",
        "id" * 1000 + "(" * 1000,
        "é" * 10,
    ],
)
def test_a_script_that_is_broken_tells_nothing(tmp_path: Path, text: str) -> None:
    found = single(tmp_path, text)
    assert (found.spring_boot, found.java_major, found.repackaged) == (None, None, False)


@pytest.mark.parametrize(
    "toml",
    [
        "[",
        "versions = 3\nplugins = 4\nlibraries = 5",
        "[versions]\na = 1\n[plugins]\nx = 2\n[libraries]\nstarter-web = 3",
        "x = " + "[" * 5000,
    ],
)
def test_a_broken_catalogue_tells_nothing(tmp_path: Path, toml: str) -> None:
    write(tmp_path, {**KOTLIN, "gradle/libs.versions.toml": toml})
    orders = facts(tmp_path, "services/orders")
    assert orders.spring_boot is None
    assert orders.artifact == "build/libs/orders.jar"


@pytest.mark.parametrize(
    "piece",
    [
        "{",
        "}",
        "(",
        '"',
        "'",
        "/*",
        "id ",
        "a{\n",
        "include 'x' ",
        "ext {\n",
        "x = '${x}${x}'\n",
        "release = ",
        "version = 'a' +",
        "+",
        "sourceCompatibility ",
    ],
)
def test_a_hostile_script_takes_no_time(tmp_path: Path, piece: str) -> None:
    line = piece * (4000 // len(piece))
    (tmp_path / "build.gradle").write_text(f"{line}\n" * 50)
    start = time.process_time()
    with suppress(ContextError):  # it may have more than a script has
        read_build_files(tmp_path, tmp_path)
    assert time.process_time() - start < 20


def test_a_line_that_nobody_wrote_by_hand(tmp_path: Path) -> None:
    (tmp_path / "build.gradle").write_text(f"plugins {{ id 'java' }}\n// {'x' * 4094}\n")
    with pytest.raises(ContextError, match=r"build.gradle:2: the line is longer than 4,096 characters"):
        read_build_files(tmp_path, tmp_path)
    (tmp_path / "build.gradle").write_text(f"plugins {{ id 'java' }}\n// {'x' * 4093}\n")
    assert read_build_files(tmp_path, tmp_path) is not None


# --- the scanner


def test_an_open_quote_is_an_ordinary_character() -> None:
    assert without_comments("it's // a\nb 'c' // d") == "it's  \nb 'c'  "
    assert without_comments("'\\' ' // a\n") == "'\\' '  \n"
    assert without_comments("\"'\" ' // a") == "\"'\" '  "
    assert [block.body for block in blocks("a { it's }\nb { '}' }")] == [" it's ", " '}' "]


def test_comments_are_not_looked_for_in_strings() -> None:
    text = "url 'https://x/*y*/' // a 'b\n\"c//d\" /* e\n f */ g '''h//i''' \"\"\"j/*k\"\"\""
    assert without_comments(text) == "url 'https://x/*y*/'  \n\"c//d\"   g '''h//i''' \"\"\"j/*k\"\"\""


def test_blocks() -> None:
    text = "a = 1\nb { c { d } }\nif (x) { e }\nf {\n '}' \"{\"\n}\ng\n{\n h }\ni {"
    assert [(block.header, block.body.strip()) for block in blocks(text)] == [
        ("b", "c { d }"),
        ("if (x)", "e"),
        ("f", "'}' \"{\""),
        ("g", "h"),
    ]
    assert inside(text, "c") == [" d "]
