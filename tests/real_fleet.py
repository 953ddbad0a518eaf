"""A fleet of real Spring Boot applications: modules with overlapping starters, built by Maven from what the cache has."""

from __future__ import annotations

import sys
from pathlib import Path

from apps import maven
from command_line import written

NEWEST = "3.5.16"
#: Each module's starters beside those of the web.
MODULES = {
    "gateway": ("actuator",),
    "auth": ("data-redis", "validation"),
    "platform": ("data-jpa", "data-redis", "validation", "actuator"),
    "user": ("data-jpa", "validation"),
    "order": ("data-jpa", "data-redis", "validation"),
    "product": ("data-jpa", "data-redis", "validation"),
    "cart": ("data-redis", "validation"),
    "payment": ("data-jpa", "validation", "actuator"),
    "search": ("data-redis",),
    "coupon": ("data-jpa", "validation"),
    "stock": ("data-jpa", "data-redis", "actuator"),
    "notice": ("thymeleaf",),
    "admin": ("thymeleaf", "data-jpa", "validation", "actuator"),
}


def write(root: Path, modules: dict[str, tuple[str, ...]], version: str = NEWEST) -> None:
    """The sources: a parent with the BOM, a module of the project's own that all have, and the applications."""
    listed = "".join(f"<module>{name}</module>" for name in ("common", *modules))
    files = {
        "pom.xml": f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>example.fleet</groupId>
  <artifactId>fleet</artifactId>
  <version>1.0</version>
  <packaging>pom</packaging>
  <modules>{listed}</modules>
  <properties>
    <maven.compiler.source>17</maven.compiler.source>
    <maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
    <project.build.outputTimestamp>2026-01-01T00:00:00Z</project.build.outputTimestamp>
  </properties>
  <dependencyManagement>
    <dependencies>
      <dependency>
        <groupId>org.springframework.boot</groupId>
        <artifactId>spring-boot-dependencies</artifactId>
        <version>{version}</version>
        <type>pom</type>
        <scope>import</scope>
      </dependency>
    </dependencies>
  </dependencyManagement>
  <build>
    <pluginManagement>
      <plugins>
        <plugin><artifactId>maven-resources-plugin</artifactId><version>3.3.1</version></plugin>
        <plugin><artifactId>maven-compiler-plugin</artifactId><version>3.14.0</version></plugin>
        <plugin><artifactId>maven-surefire-plugin</artifactId><version>3.5.3</version></plugin>
        <plugin><artifactId>maven-jar-plugin</artifactId><version>3.4.2</version></plugin>
        <plugin>
          <groupId>org.springframework.boot</groupId>
          <artifactId>spring-boot-maven-plugin</artifactId>
          <version>{version}</version>
          <executions>
            <execution><goals><goal>repackage</goal></goals></execution>
          </executions>
        </plugin>
      </plugins>
    </pluginManagement>
  </build>
</project>
""",
        "common/pom.xml": _module("common", ""),
        "common/src/main/java/example/Common.java": "package example;\n\npublic class Common {\n}\n",
    }
    for name, starters in modules.items():
        dependencies = "".join(
            _dependency("org.springframework.boot", f"spring-boot-starter-{each}")
            for each in ("web", *starters)
        )
        own = "<dependency><groupId>example.fleet</groupId><artifactId>common</artifactId><version>1.0</version></dependency>"
        plugin = (
            "<build><plugins><plugin><groupId>org.springframework.boot</groupId>"
            "<artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build>"
        )
        files[f"{name}/pom.xml"] = _module(name, f"<dependencies>{own}{dependencies}</dependencies>{plugin}")
        files[f"{name}/src/main/java/example/{name}/App.java"] = (
            f"package example.{name};\n\npublic class App {{\n"
            "    public static void main(String[] args) {\n"
            "        org.springframework.boot.SpringApplication.run(App.class, args);\n    }\n}\n"
        )
    written(root, **files)


def dockerfiles(root: Path, modules: dict[str, tuple[str, ...]]) -> None:
    """Three layouts: beside the module, in `docker/<name>/` with the root as context, and one shared by the rest."""
    names = list(modules)
    third = len(names) // 3
    run = 'ENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    base = "FROM eclipse-temurin:17-jdk\n"
    files = {f"{name}/Dockerfile": f"{base}COPY target/*.jar /app.jar\n{run}" for name in names[:third]}
    files |= {
        f"docker/{name}/dockerfile": f"{base}COPY {name}/target/{name}-1.0.jar /app.jar\n{run}"
        for name in names[third : 2 * third]
    }
    shared = names[2 * third :]
    files["Dockerfile"] = f"{base}ARG MODULE\nCOPY ${{MODULE}}/target/${{MODULE}}-1.0.jar /app.jar\n{run}"
    files["compose.yaml"] = "services:\n" + "".join(
        f"  {name}:\n    image: shop/{name}\n    build:\n      context: .\n      args:\n        MODULE: {name}\n"
        for name in shared
    )
    written(root, **files)


def _module(name: str, more: str) -> str:
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<parent><groupId>example.fleet</groupId><artifactId>fleet</artifactId><version>1.0</version></parent>"
        f"<artifactId>{name}</artifactId>{more}</project>\n"
    )


def _dependency(group: str, artifact: str) -> str:
    return f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId></dependency>"


def build(root: Path) -> None:
    maven(root, "-DskipTests", "-Dmaven.test.skip=true", "package")


if __name__ == "__main__":
    top = Path(sys.argv[1])
    write(top, MODULES, *sys.argv[2:])
    dockerfiles(top, MODULES)
    build(top)
