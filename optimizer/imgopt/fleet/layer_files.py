"""The plan as Spring Boot's build plugins read it: layers.xml for Maven, a script for Gradle.

Only libraries are placed anew. The application's own files stay in one layer with their directory, so that the thin layout of
3.3.0 to 3.3.11 and 3.4.0 to 3.4.5 finds it, which fails where a layering splits the classes.
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.fleet.plan import Plan
from imgopt.java.spring_boot import DEFAULT_LAYERS

#: Below the directory that Maven calls the root of a build of several modules, and that makes it one.
MAVEN_FILE = ".mvn/layers.xml"
MAVEN_PLACE = f"${{maven.multiModuleProjectDirectory}}/{MAVEN_FILE}"
GRADLE_FILE = "gradle/imgopt-layers.gradle"
_BY = "Written by imgopt fleet write, from imgopt-fleet.toml"


def _order(plan: Plan) -> tuple[str, ...]:
    return (*plan.groups, *DEFAULT_LAYERS)


def layers_xml(plan: Plan, *, modules: bool = True) -> str:
    """``modules``: the project's own modules lie beside the classes, as they do without this file from 2.4 on; 2.3 does not
    know the word."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<!-- {_BY}: libraries that several modules share get layers of their own. -->",
        '<layers xmlns="http://www.springframework.org/schema/boot/layers">',
        "  <application>",
        '    <into layer="spring-boot-loader">',
        "      <include>org/springframework/boot/loader/**</include>",
        "    </into>",
        '    <into layer="application"/>',
        "  </application>",
        "  <dependencies>",
    ]
    if modules:
        lines += ['    <into layer="application">', "      <includeModuleDependencies/>", "    </into>"]
    lines += [
        '    <into layer="snapshot-dependencies">',
        "      <include>*:*:*SNAPSHOT</include>",
        "    </into>",
    ]
    for name, artifacts in plan.groups.items():
        lines.append(f'    <into layer="{name}">')
        lines += [f"      <include>*:{artifact}:*</include>" for artifact in artifacts]
        lines.append("    </into>")
    lines += ['    <into layer="dependencies"/>', "  </dependencies>", "  <layerOrder>"]
    lines += [f"    <layer>{name}</layer>" for name in _order(plan)]
    return "\n".join([*lines, "  </layerOrder>", "</layers>"]) + "\n"


def gradle_script(plan: Plan, *, modules: bool = True) -> str:
    """For the root project's script to apply; it waits for Spring Boot's plugin in each of the projects."""
    lines = [
        f"// {_BY}: libraries that several modules share get layers of their own.",
        "allprojects {",
        "    tasks.matching { it.name in ['bootJar', 'bootWar'] }.configureEach {",
        "        layered {",
        "            application {",
        "                intoLayer('spring-boot-loader') {",
        "                    include 'org/springframework/boot/loader/**'",
        "                }",
        "                intoLayer('application')",
        "            }",
        "            dependencies {",
        *_gradle_dependencies(plan, modules),
        "                intoLayer('dependencies')",
        "            }",
        f"            layerOrder = [{', '.join(repr(name) for name in _order(plan))}]",
        "        }",
        "    }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _gradle_dependencies(plan: Plan, modules: bool) -> Iterator[str]:
    if modules:
        yield from (
            "                intoLayer('application') {",
            "                    includeProjectDependencies()",
        )
        yield "                }"
    yield "                intoLayer('snapshot-dependencies') {"
    yield "                    include '*:*:*SNAPSHOT'"
    yield "                }"
    for name, artifacts in plan.groups.items():
        yield f"                intoLayer('{name}') {{"
        yield from (f"                    include '*:{artifact}:*'" for artifact in artifacts)
        yield "                }"
