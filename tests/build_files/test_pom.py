from __future__ import annotations

import os
from pathlib import Path

import pytest

from imgopt.errors import ContextError
from imgopt.java import build_facts
from imgopt.java.build_facts import BuildFacts
from imgopt.java.build_files import read_build_files

BOOT = "org.springframework.boot"


def pom(inner: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<project xmlns="http://maven.apache.org/POM/4.0.0">\n'
        f"<modelVersion>4.0.0</modelVersion>\n{inner}\n</project>\n"
    )


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def facts(root: Path, module: str = ".") -> BuildFacts:
    found = read_build_files(root / module, root)
    assert found is not None
    return found


def starter(version: str) -> str:
    return (
        f"<parent><groupId>{BOOT}</groupId><artifactId>spring-boot-starter-parent</artifactId>"
        f"<version>{version}</version><relativePath/></parent>"
    )


def plugin(inner: str = "") -> str:
    return (
        f"<plugin><groupId>{BOOT}</groupId><artifactId>spring-boot-maven-plugin</artifactId>{inner}</plugin>"
    )


def build(*plugins: str, inner: str = "") -> str:
    return f"<build>{inner}<plugins>{''.join(plugins)}</plugins></build>"


REPACKAGE = "<executions><execution><goals><goal>repackage</goal></goals></execution></executions>"


def single(
    version: str = "3.2.5", properties: str = "", inner: str = "", build_part: str | None = None
) -> str:
    return pom(
        f"{starter(version)}<groupId>com.example</groupId><artifactId>demo</artifactId>"
        f"<version>0.0.1-SNAPSHOT</version><properties>{properties}</properties>{inner}"
        + (build(plugin()) if build_part is None else build_part)
    )


# --- a single module, as start.spring.io makes it

INITIALIZR = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
         xsi:schemaLocation="http://maven.apache.org/POM/4.0.0 https://maven.apache.org/xsd/maven-4.0.0.xsd">
  <modelVersion>4.0.0</modelVersion>
  <parent>
    <groupId>org.springframework.boot</groupId>
    <artifactId>spring-boot-starter-parent</artifactId>
    <version>3.5.4</version>
    <relativePath/> <!-- lookup parent from repository -->
  </parent>
  <groupId>com.example</groupId>
  <artifactId>orders</artifactId>
  <version>0.0.1-SNAPSHOT</version>
  <name>orders service</name>
  <properties>
    <java.version>21</java.version>
    <spring-cloud.version>2025.0.0</spring-cloud.version>
  </properties>
  <dependencies>
    <dependency>
      <groupId>org.springframework.boot</groupId>
      <artifactId>spring-boot-starter-web</artifactId>
    </dependency>
    <dependency>
      <groupId>com.mysql</groupId>
      <artifactId>mysql-connector-j</artifactId>
      <version>8.3.0</version>
      <scope>runtime</scope>
    </dependency>
    <dependency>
      <groupId>org.projectlombok</groupId>
      <artifactId>lombok</artifactId>
      <optional>true</optional>
    </dependency>
    <dependency>
      <groupId>org.springframework.boot</groupId>
      <artifactId>spring-boot-starter-test</artifactId>
      <scope>test</scope>
    </dependency>
  </dependencies>
  <dependencyManagement>
    <dependencies>
      <dependency>
        <groupId>org.springframework.cloud</groupId>
        <artifactId>spring-cloud-dependencies</artifactId>
        <version>${spring-cloud.version}</version>
        <type>pom</type>
        <scope>import</scope>
      </dependency>
    </dependencies>
  </dependencyManagement>
  <build>
    <plugins>
      <plugin>
        <groupId>org.springframework.boot</groupId>
        <artifactId>spring-boot-maven-plugin</artifactId>
        <configuration>
          <excludes>
            <exclude>
              <groupId>org.projectlombok</groupId>
              <artifactId>lombok</artifactId>
            </exclude>
          </excludes>
        </configuration>
      </plugin>
    </plugins>
  </build>
</project>
"""


def test_a_generated_project(tmp_path: Path) -> None:
    write(tmp_path, {"pom.xml": INITIALIZR})
    assert facts(tmp_path) == BuildFacts(
        path=str(tmp_path / "pom.xml"),
        tool="maven",
        spring_boot="3.5.4",
        java_major=21,
        artifact="target/orders-0.0.1-SNAPSHOT.jar",
        packaging="jar",
        layered=True,
        executable=False,
        libraries=(
            "org.springframework.boot:spring-boot-starter-web",
            "com.mysql:mysql-connector-j:8.3.0",
            "org.projectlombok:lombok",
        ),
        repackaged=True,
        name="orders",
    )


# --- several modules with a parent and a BOM, without the starter parent

CLOUD = {
    "pom.xml": pom(
        """
  <groupId>com.shop</groupId>
  <artifactId>shop</artifactId>
  <version>${revision}</version>
  <packaging>pom</packaging>
  <modules>
    <module>shop-common</module>
    <module>shop-gateway</module>
    <module>shop-modules</module>
  </modules>
  <properties>
    <revision>2.1.0</revision>
    <spring-boot.version>2.7.18</spring-boot.version>
    <fastjson.version>2.0.43</fastjson.version>
    <java.version>1.8</java.version>
    <maven-jar-plugin.version>3.2.2</maven-jar-plugin.version>
  </properties>
  <dependencyManagement>
    <dependencies>
      <dependency>
        <groupId>org.springframework.boot</groupId>
        <artifactId>spring-boot-dependencies</artifactId>
        <version>${spring-boot.version}</version>
        <type>pom</type>
        <scope>import</scope>
      </dependency>
      <dependency>
        <groupId>org.springframework.cloud</groupId>
        <artifactId>spring-cloud-dependencies</artifactId>
        <version>2021.0.8</version>
        <type>pom</type>
        <scope>import</scope>
      </dependency>
      <dependency>
        <groupId>com.alibaba.fastjson2</groupId>
        <artifactId>fastjson2</artifactId>
        <version>${fastjson.version}</version>
      </dependency>
      <dependency>
        <groupId>com.shop</groupId>
        <artifactId>shop-common</artifactId>
        <version>${project.version}</version>
      </dependency>
    </dependencies>
  </dependencyManagement>
  <build>
    <plugins>
      <plugin>
        <groupId>org.apache.maven.plugins</groupId>
        <artifactId>maven-compiler-plugin</artifactId>
        <configuration>
          <source>${java.version}</source>
          <target>${java.version}</target>
          <encoding>UTF-8</encoding>
        </configuration>
      </plugin>
    </plugins>
    <pluginManagement>
      <plugins>
        <plugin>
          <groupId>org.springframework.boot</groupId>
          <artifactId>spring-boot-maven-plugin</artifactId>
          <version>${spring-boot.version}</version>
          <executions>
            <execution>
              <goals>
                <goal>repackage</goal>
              </goals>
            </execution>
          </executions>
        </plugin>
      </plugins>
    </pluginManagement>
  </build>
  <profiles>
    <profile>
      <id>dev</id>
      <activation>
        <activeByDefault>true</activeByDefault>
      </activation>
      <properties>
        <final.suffix>dev</final.suffix>
      </properties>
    </profile>
    <profile>
      <id>prod</id>
      <properties>
        <final.suffix>prod</final.suffix>
      </properties>
    </profile>
  </profiles>"""
    ),
    "shop-common/pom.xml": pom(
        """
  <parent>
    <groupId>com.shop</groupId>
    <artifactId>shop</artifactId>
    <version>${revision}</version>
  </parent>
  <artifactId>shop-common</artifactId>"""
    ),
    "shop-gateway/pom.xml": pom(
        """
  <parent>
    <groupId>com.shop</groupId>
    <artifactId>shop</artifactId>
    <version>${revision}</version>
  </parent>
  <artifactId>shop-gateway</artifactId>
  <dependencies>
    <dependency>
      <groupId>com.alibaba.fastjson2</groupId>
      <artifactId>fastjson2</artifactId>
    </dependency>
    <dependency>
      <groupId>com.shop</groupId>
      <artifactId>shop-common</artifactId>
    </dependency>
    <dependency>
      <groupId>org.springframework.cloud</groupId>
      <artifactId>spring-cloud-starter-gateway</artifactId>
    </dependency>
  </dependencies>
  <build>
    <finalName>${project.artifactId}-${final.suffix}</finalName>
    <plugins>
      <plugin>
        <groupId>org.springframework.boot</groupId>
        <artifactId>spring-boot-maven-plugin</artifactId>
      </plugin>
    </plugins>
  </build>"""
    ),
    "shop-modules/pom.xml": pom(
        """
  <parent>
    <groupId>com.shop</groupId>
    <artifactId>shop</artifactId>
    <version>${revision}</version>
  </parent>
  <artifactId>shop-modules</artifactId>
  <packaging>pom</packaging>
  <modules><module>shop-order</module></modules>
  <build>
    <plugins>
      <plugin>
        <groupId>org.springframework.boot</groupId>
        <artifactId>spring-boot-maven-plugin</artifactId>
      </plugin>
    </plugins>
  </build>"""
    ),
    "shop-modules/shop-order/pom.xml": pom(
        """
  <parent>
    <groupId>com.shop</groupId>
    <artifactId>shop-modules</artifactId>
    <version>${revision}</version>
  </parent>
  <artifactId>shop-order</artifactId>
  <packaging>jar</packaging>"""
    ),
}


def test_a_module_two_parents_down(tmp_path: Path) -> None:
    write(tmp_path, CLOUD)
    order = facts(tmp_path, "shop-modules/shop-order")
    assert order.spring_boot == "2.7.18"
    assert order.java_major == 8
    assert order.artifact == "target/shop-order-2.1.0.jar"
    assert (order.packaging, order.layered, order.repackaged) == ("jar", True, True)


def test_a_module_with_a_final_name_and_managed_versions(tmp_path: Path) -> None:
    write(tmp_path, CLOUD)
    gateway = facts(tmp_path, "shop-gateway")
    assert gateway.artifact == "target/shop-gateway-dev.jar"
    assert gateway.libraries == (
        "com.alibaba.fastjson2:fastjson2:2.0.43",
        "com.shop:shop-common:2.1.0",
        "org.springframework.cloud:spring-cloud-starter-gateway",
    )


def test_a_library_module_is_not_repackaged(tmp_path: Path) -> None:
    write(tmp_path, CLOUD)
    common = facts(tmp_path, "shop-common")
    assert common.repackaged is False
    assert (common.layered, common.executable) == (None, None)
    assert common.artifact == "target/shop-common-2.1.0.jar"


def test_an_aggregator(tmp_path: Path) -> None:
    write(tmp_path, CLOUD)
    root = facts(tmp_path)
    assert (root.packaging, root.artifact, root.repackaged) == ("pom", None, False)
    assert root.modules == ("shop-common", "shop-gateway", "shop-modules")


# --- a BOM that is itself a module

BOM = {
    "pom.xml": pom(
        """<groupId>cn.erp</groupId><artifactId>erp</artifactId><version>${revision}</version>
  <packaging>pom</packaging>
  <modules><module>erp-dependencies</module><module>erp-server</module></modules>
  <properties><revision>1.9.0-snapshot</revision><maven.compiler.source>17</maven.compiler.source>
    <maven.compiler.target>${maven.compiler.source}</maven.compiler.target></properties>
  <dependencyManagement><dependencies>
    <dependency><groupId>cn.erp</groupId><artifactId>erp-dependencies</artifactId><version>${revision}</version>
      <type>pom</type><scope>import</scope></dependency>
  </dependencies></dependencyManagement>"""
    ),
    "erp-dependencies/pom.xml": pom(
        """<groupId>cn.erp</groupId><artifactId>erp-dependencies</artifactId><version>${revision}</version>
  <packaging>pom</packaging>
  <properties><revision>1.9.0-snapshot</revision><spring.boot.version>3.2.2</spring.boot.version></properties>
  <dependencyManagement><dependencies>
    <dependency><groupId>org.springframework.boot</groupId><artifactId>spring-boot-dependencies</artifactId>
      <version>${spring.boot.version}</version><type>pom</type><scope>import</scope></dependency>
    <dependency><groupId>org.redisson</groupId><artifactId>redisson</artifactId><version>3.26.0</version></dependency>
  </dependencies></dependencyManagement>"""
    ),
    "erp-server/pom.xml": pom(
        """<parent><groupId>cn.erp</groupId><artifactId>erp</artifactId><version>${revision}</version></parent>
  <artifactId>erp-server</artifactId>
  <dependencies><dependency><groupId>org.redisson</groupId><artifactId>redisson</artifactId></dependency></dependencies>
  <build><finalName>${project.artifactId}</finalName><plugins>
    <plugin><groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId>
      <executions><execution><goals><goal>repackage</goal></goals></execution></executions></plugin>
  </plugins></build>"""
    ),
}


def test_a_bom_among_the_modules(tmp_path: Path) -> None:
    write(tmp_path, BOM)
    server = facts(tmp_path, "erp-server")
    assert server.spring_boot == "3.2.2"
    assert server.java_major == 17
    assert server.artifact == "target/erp-server.jar"
    assert server.libraries == ("org.redisson:redisson:3.26.0",)


def test_boms_that_import_each_other(tmp_path: Path) -> None:
    other = BOM["erp-dependencies/pom.xml"].replace(
        f"<groupId>{BOOT}</groupId><artifactId>spring-boot-dependencies</artifactId>",
        "<groupId>cn.erp</groupId><artifactId>erp</artifactId>",
    )
    write(tmp_path, {**BOM, "erp-dependencies/pom.xml": other})
    assert facts(tmp_path, "erp-server").spring_boot is None


# --- where the parent is


def test_a_parent_in_another_folder(tmp_path: Path) -> None:
    child = pom(
        "<parent><groupId>g</groupId><artifactId>base</artifactId><version>1</version>"
        "<relativePath>../parents/base</relativePath></parent><artifactId>app</artifactId>"
    )
    parent = pom(f"{starter('2.6.15')}<groupId>g</groupId><artifactId>base</artifactId><version>1</version>")
    write(tmp_path, {"app/pom.xml": child, "parents/base/pom.xml": parent})
    assert facts(tmp_path, "app").spring_boot == "2.6.15"
    assert facts(tmp_path, "app").java_major == 8  # the starter parent's own


def test_a_pom_at_the_relative_path_that_is_someone_else(tmp_path: Path) -> None:
    write(
        tmp_path, {"pom.xml": single("2.7.0"), "app/pom.xml": single("3.3.0").replace("<relativePath/>", "")}
    )
    assert facts(tmp_path, "app").spring_boot == "3.3.0"


def test_a_parent_found_by_its_name_among_the_modules(tmp_path: Path) -> None:
    child = pom(
        "<parent><groupId>g</groupId><artifactId>base</artifactId><version>1</version><relativePath/></parent>"
        "<artifactId>app</artifactId>"
    )
    parent = pom(f"{starter('3.1.12')}<groupId>g</groupId><artifactId>base</artifactId><version>1</version>")
    top = pom(
        "<groupId>g</groupId><artifactId>top</artifactId><version>1</version><packaging>pom</packaging>"
        "<modules><module>build/base</module><module>services/app</module></modules>"
    )
    write(tmp_path, {"pom.xml": top, "build/base/pom.xml": parent, "services/app/pom.xml": child})
    assert facts(tmp_path, "services/app").spring_boot == "3.1.12"


def test_nothing_outside_the_repository_is_read(tmp_path: Path) -> None:
    child = pom(
        "<parent><groupId>g</groupId><artifactId>base</artifactId><version>1</version></parent><artifactId>app</artifactId>"
    )
    parent = pom(f"{starter('3.1.12')}<groupId>g</groupId><artifactId>base</artifactId><version>1</version>")
    write(tmp_path, {"pom.xml": parent, "app/pom.xml": child})
    assert facts(tmp_path, "app").spring_boot == "3.1.12"
    inside = read_build_files(tmp_path / "app", tmp_path / "app")
    assert inside is not None
    assert inside.spring_boot is None
    # nor through a link
    write(tmp_path, {"repository/app/pom.xml": child})
    (tmp_path / "repository/pom.xml").symlink_to(tmp_path / "pom.xml")
    assert facts(tmp_path / "repository", "app").spring_boot is None
    assert read_build_files(tmp_path / "repository", tmp_path / "repository") is None


def test_parents_in_a_circle(tmp_path: Path) -> None:
    one = pom(
        "<parent><groupId>g</groupId><artifactId>two</artifactId><version>1</version><relativePath>../two</relativePath>"
        "</parent><groupId>g</groupId><artifactId>one</artifactId>"
    )
    two = pom(
        "<parent><groupId>g</groupId><artifactId>one</artifactId><version>1</version><relativePath>../one</relativePath>"
        "</parent><groupId>g</groupId><artifactId>two</artifactId>"
    )
    own = pom(
        "<parent><groupId>g</groupId><artifactId>self</artifactId><version>1</version><relativePath>.</relativePath>"
        "</parent><artifactId>self</artifactId>"
    )
    write(tmp_path, {"one/pom.xml": one, "two/pom.xml": two, "self/pom.xml": own})
    assert facts(tmp_path, "one").artifact == "target/one-1.jar"
    assert facts(tmp_path, "self").artifact == "target/self-1.jar"


def test_modules_in_a_circle(tmp_path: Path) -> None:
    child = pom(
        "<parent><groupId>g</groupId><artifactId>gone</artifactId><version>1</version></parent><artifactId>a</artifactId>"
        "<packaging>pom</packaging><modules><module>..</module><module>.</module><module>../a</module></modules>"
    )
    write(tmp_path, {"pom.xml": child.replace("..", "a"), "a/pom.xml": child})
    assert facts(tmp_path, "a").artifact is None


# --- values


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ("<a>1.0</a>", "target/demo-1.0.jar"),
        ("<a>${b}.${c}</a><b>1</b><c>${d}</c><d>2</d>", "target/demo-1.2.jar"),
        ("<a>${project.parent.version}</a>", "target/demo-3.2.5.jar"),
        ("<a>${pom.artifactId}</a>", "target/demo-demo.jar"),
        ("<a>${a}</a>", None),
        ("<a>${b}</a><b>${a}</b>", None),
        ("<a>x${a}</a>", None),
        ("<a>${missing}</a>", None),
        ("<a>${env.VERSION}</a>", None),
        ("<a>${open</a>", None),
        (
            "".join(f"<p{n}>${{p{n + 1}}}${{p{n + 1}}}</p{n}>" for n in range(40))
            + "<p40>x</p40><a>${p0}</a>",
            None,
        ),
        (f"<a>{'x' * 10_000}</a>", None),
    ],
)
def test_properties(tmp_path: Path, properties: str, expected: str | None) -> None:
    text = single(properties=properties).replace("<version>0.0.1-SNAPSHOT<", "<version>${a}<")
    write(tmp_path, {"pom.xml": text})
    assert facts(tmp_path).artifact == expected


@pytest.mark.parametrize(
    ("version", "properties", "compiler", "expected"),
    [
        ("3.2.5", "<java.version>21</java.version>", "", 21),
        ("3.2.5", "", "", 17),
        ("4.0.0", "", "", 17),
        ("2.7.18", "", "", 8),
        ("2.7.18", "<java.version>1.8</java.version>", "", 8),
        ("1.5.22.RELEASE", "", "", 6),
        (
            "2.7.18",
            "<java.version>11</java.version><maven.compiler.target>17</maven.compiler.target>",
            "",
            17,
        ),
        ("3.0.13", "<maven.compiler.target>21</maven.compiler.target>", "", 21),
        # from 3.1 on the starter parent gives a release, which goes before a target
        ("3.1.0", "<maven.compiler.target>21</maven.compiler.target>", "", 17),
        ("3.1.0", "<maven.compiler.release>21</maven.compiler.release>", "", 21),
        ("2.7.18", "<maven.compiler.release>11</maven.compiler.release>", "<target>8</target>", 11),
        ("2.7.18", "<java.version>11</java.version>", "<release>${java.version}</release>", 11),
        ("2.7.18", "<java.version>${jdk}</java.version>", "", None),
    ],
)
def test_java(tmp_path: Path, version: str, properties: str, compiler: str, expected: int | None) -> None:
    compile_plugin = f"<plugin><artifactId>maven-compiler-plugin</artifactId><configuration>{compiler}</configuration></plugin>"
    write(tmp_path, {"pom.xml": single(version, properties, build_part=build(plugin(), compile_plugin))})
    assert facts(tmp_path).java_major == expected


def test_java_version_means_nothing_without_the_starter_parent(tmp_path: Path) -> None:
    text = single(properties="<java.version>21</java.version>").replace(starter("3.2.5"), "")
    write(tmp_path, {"pom.xml": text})
    assert facts(tmp_path).java_major is None


def test_a_setting_for_the_tests_alone_is_not_the_level(tmp_path: Path) -> None:
    compiler = (
        "<plugin><artifactId>maven-compiler-plugin</artifactId><executions><execution><id>default-testCompile</id>"
        "<configuration><release>21</release></configuration></execution></executions></plugin>"
    )
    write(
        tmp_path,
        {
            "pom.xml": single(
                properties="<java.version>17</java.version>", build_part=build(plugin(), compiler)
            )
        },
    )
    assert facts(tmp_path).java_major == 17


# --- the plugin


@pytest.mark.parametrize(
    ("version", "configuration", "layered"),
    [
        ("2.2.13.RELEASE", "", False),
        ("2.2.13.RELEASE", "<layers><enabled>true</enabled></layers>", False),
        ("2.3.12.RELEASE", "", False),
        ("2.3.12.RELEASE", "<layers><enabled>true</enabled></layers>", True),
        ("2.4.0", "", True),
        ("2.4.0", "<layers><enabled>false</enabled></layers>", False),
        ("3.2.5", "<layers><enabled>${layers}</enabled></layers>", True),
        ("3.2.5", "<layers><configuration>layers.xml</configuration></layers>", True),
        ("4.1.0", "<layers><enabled>false</enabled></layers>", False),
    ],
)
def test_layers(tmp_path: Path, version: str, configuration: str, layered: bool) -> None:
    build_part = build(plugin(f"<configuration>{configuration}</configuration>"))
    write(tmp_path, {"pom.xml": single(version, "<layers>true</layers>", build_part=build_part)})
    assert facts(tmp_path).layered is layered


@pytest.mark.parametrize(("version", "layered"), [("2.4.13", False), ("2.5.0", True)])
def test_layers_of_a_war(tmp_path: Path, version: str, layered: bool) -> None:
    write(tmp_path, {"pom.xml": single(version, inner="<packaging>war</packaging>")})
    found = facts(tmp_path)
    assert (found.packaging, found.artifact, found.layered) == (
        "war",
        "target/demo-0.0.1-SNAPSHOT.war",
        layered,
    )


def test_the_plugins_configuration(tmp_path: Path) -> None:
    configuration = (
        "<configuration><executable>true</executable><classifier>exec</classifier><layout>ZIP</layout>"
        "<mainClass>com.example.Main</mainClass><loaderImplementation>CLASSIC</loaderImplementation></configuration>"
    )
    write(tmp_path, {"pom.xml": single(build_part=build(plugin(configuration)))})
    found = facts(tmp_path)
    assert found.executable is True
    assert found.artifact == "target/demo-0.0.1-SNAPSHOT-exec.jar"
    assert (found.layout, found.main_class, found.loader) == ("ZIP", "com.example.Main", "classic")


def test_the_configuration_of_the_execution_goes_first(tmp_path: Path) -> None:
    execution = (
        "<configuration><classifier>a</classifier></configuration><executions><execution><id>repackage</id>"
        "<configuration><classifier>b</classifier></configuration></execution></executions>"
    )
    write(tmp_path, {"pom.xml": single(build_part=build(plugin(execution)))})
    assert facts(tmp_path).artifact == "target/demo-0.0.1-SNAPSHOT-b.jar"


@pytest.mark.parametrize(
    ("build_part", "artifact"),
    [
        (build(plugin(), inner="<finalName>app</finalName>"), "target/app.jar"),
        (build(plugin(), inner="<directory>out</directory>"), "out/demo-0.0.1-SNAPSHOT.jar"),
        (
            build(plugin(), inner="<directory>${project.basedir}/out</directory>"),
            "out/demo-0.0.1-SNAPSHOT.jar",
        ),
        (
            build(plugin("<configuration><outputDirectory>../docker</outputDirectory></configuration>")),
            "../docker/demo-0.0.1-SNAPSHOT.jar",
        ),
        (build(plugin("<configuration><outputDirectory>/srv</outputDirectory></configuration>")), None),
        (build(plugin("<configuration><classifier>${who}</classifier></configuration>")), None),
        (build(plugin("<configuration><finalName>old</finalName></configuration>")), "target/old.jar"),
        (build(plugin(), inner="<finalName>${git.commit}</finalName>"), None),
        ("", "target/demo-0.0.1-SNAPSHOT.jar"),
    ],
)
def test_the_artifact(tmp_path: Path, build_part: str, artifact: str | None) -> None:
    write(tmp_path, {"pom.xml": single(build_part=build_part)})
    assert facts(tmp_path).artifact == artifact


@pytest.mark.parametrize(
    ("text", "repackaged"),
    [
        (single(), True),
        (single(build_part=""), False),
        (single(build_part=build(plugin("<configuration><skip>true</skip></configuration>"))), False),
        (single(properties="<spring-boot.repackage.skip>true</spring-boot.repackage.skip>"), False),
        (single().replace(starter("3.2.5"), ""), False),  # no goal is bound without the starter parent
        (single(build_part=build(plugin(REPACKAGE))).replace(starter("3.2.5"), ""), True),
    ],
)
def test_repackaged(tmp_path: Path, text: str, repackaged: bool) -> None:
    write(tmp_path, {"pom.xml": text})
    assert facts(tmp_path).repackaged is repackaged


def test_a_module_that_takes_back_its_parents_skip(tmp_path: Path) -> None:
    parent = single(build_part=build(plugin("<configuration><skip>true</skip></configuration>"))).replace(
        "<properties>", "<packaging>pom</packaging><properties>"
    )
    child = pom(
        "<parent><groupId>com.example</groupId><artifactId>demo</artifactId><version>0.0.1-SNAPSHOT</version></parent>"
        "<artifactId>app</artifactId>" + build(plugin("<configuration><skip>false</skip></configuration>"))
    )
    library = child.replace("<skip>false</skip>", "").replace(">app<", ">lib<")
    write(tmp_path, {"pom.xml": parent, "app/pom.xml": child, "lib/pom.xml": library})
    assert facts(tmp_path, "app").repackaged is True
    assert facts(tmp_path, "lib").repackaged is False


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (single("2.1.5.RELEASE"), "2.1.5.RELEASE"),
        (single("3.0.0-M3"), "3.0.0-M3"),
        (single("[2.7,3.0)"), None),
        (single("${boot}", "<boot>3.4.1</boot>"), "3.4.1"),
        (single("3.2.5", build_part=build(plugin("<version>3.2.9</version>"))), "3.2.9"),
        (single("3.2.5", build_part=build(plugin("<version>LATEST</version>"))), "3.2.5"),
        (single().replace(starter("3.2.5"), ""), None),
    ],
)
def test_spring_boots_version(tmp_path: Path, text: str, version: str | None) -> None:
    write(tmp_path, {"pom.xml": text})
    assert facts(tmp_path).spring_boot == version


# --- bad input


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not well-formed XML"),
        (b"<project>", "not well-formed XML"),
        (b"<project><a></b></project>", "not well-formed XML"),
        (b"\0\0\0", "not well-formed XML"),
        (b"plugins { id 'java' }", "not well-formed XML"),
        (b"<html></html>", "not a Maven project but <html>"),
        (b'<!DOCTYPE p [<!ENTITY a "b">]><project>&a;</project>', "DOCTYPE"),
        (b'<!DOCTYPE p SYSTEM "file:///etc/passwd"><project/>', "DOCTYPE"),
        (b'<?xml version="1.0" encoding="nonsense"?><project/>', "XML"),
        (b'<?xml version="1.0" encoding="UTF-8"?><project>\xff</project>', "not well-formed XML"),
        (b"<project>" + b" " * (4 * 1024 * 1024) + b"</project>", "larger than 4,194,304 bytes"),
    ],
)
def test_a_pom_that_is_none(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "pom.xml").write_bytes(data)
    with pytest.raises(ContextError) as caught:
        read_build_files(tmp_path, tmp_path)
    assert says in caught.value.message
    assert caught.value.path == str(tmp_path / "pom.xml")
    assert "\n" not in str(caught.value)


def test_the_line_of_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "pom.xml").write_text("<project>\n<a>\n</project>")
    with pytest.raises(ContextError) as caught:
        read_build_files(tmp_path, tmp_path)
    assert caught.value.line == 3


def test_a_parent_that_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    write(tmp_path, {**CLOUD, "pom.xml": "<project>"})
    order = facts(tmp_path, "shop-modules/shop-order")
    assert (order.spring_boot, order.java_major, order.artifact) == (None, None, None)


@pytest.mark.parametrize("encoding", ["GBK", "UTF-16", "ISO-8859-1", "UTF-8"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    name = "d\xe9mo" if encoding == "ISO-8859-1" else "演示"
    text = INITIALIZR.replace("UTF-8", encoding).replace(">orders<", f">{name}<")
    (tmp_path / "pom.xml").write_bytes(text.encode(encoding))
    assert facts(tmp_path).artifact == f"target/{name}-0.0.1-SNAPSHOT.jar"


def test_a_pom_with_a_byte_order_mark_and_without_a_namespace(tmp_path: Path) -> None:
    text = INITIALIZR.replace(' xmlns="http://maven.apache.org/POM/4.0.0"', "")
    (tmp_path / "pom.xml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert facts(tmp_path).spring_boot == "3.5.4"


def test_elements_nested_without_end(tmp_path: Path) -> None:
    for depth in (49_000, 100_000):
        (tmp_path / "pom.xml").write_text("<project>" + "<a>" * depth + "</a>" * depth + "</project>")
        if depth < 50_000:
            assert facts(tmp_path).artifact is None
    with pytest.raises(ContextError, match="more than 100,000 tags"):
        facts(tmp_path)


def test_a_pom_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"pom.xml": INITIALIZR})

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(build_facts, "read_file", refuse)
    with pytest.raises(ContextError, match="Permission denied"):
        read_build_files(tmp_path, tmp_path)


def test_no_build_file(tmp_path: Path) -> None:
    assert read_build_files(tmp_path, tmp_path) is None
    assert read_build_files(tmp_path / "nowhere", tmp_path) is None
    (tmp_path / "pom.xml").mkdir()
    assert read_build_files(tmp_path, tmp_path) is None


def test_both_tools(tmp_path: Path) -> None:
    write(tmp_path, {"pom.xml": INITIALIZR, "build.gradle": "plugins { id 'java' }"})
    assert facts(tmp_path).tool == "maven"
    found = read_build_files(tmp_path, tmp_path, tool="gradle")
    assert found is not None
    assert found.tool == "gradle"
