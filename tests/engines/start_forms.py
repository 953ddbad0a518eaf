"""The ways in which Dockerfiles start a Spring Boot jar; each is built, rewritten and started by the tests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from private_docker import Engine
from stand_ins import stand_in

# what both images are started with, after the image's name
ARGUMENTS = ("--spring.profiles.active=test", "--demo.argument=two words")
# a smaller start on two cores; both images get it
ENVIRONMENT = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC", "DEMO_REGION": "test"}


@dataclass(frozen=True, slots=True)
class StartForm:
    """A Dockerfile after its FROM line, the files beside it, and whether arguments of `docker run` reach the application."""

    name: str
    dockerfile: str
    takes_arguments: bool = True
    files: Mapping[str, str] = field(default_factory=dict)


FUNCTIONS = """\
heap() {
  awk '/MemTotal/ { printf "%dm\\n", ($2 / 1024 > 4000) ? 256 : 192 }' /proc/meminfo
}
"""
START = """\
#!/bin/sh
set -e
. /opt/functions.sh
log() { printf '%s\\n' "$*" >&2; }
main() {
  log "starting as $(id -un) with `heap`"
  for file in /run/secrets/*; do
    [ -f "$file" ] || continue
    export "$(basename "$file")"="$(cat "$file")"
  done
  trap 'log stopping' TERM
  exec java -Xmx$(heap) -Ddemo.property=functions $JAVA_OPTS -jar /srv/*.jar "$@"
}
main "$@"
"""

FORMS = (
    StartForm(
        "exec",
        """\
WORKDIR /app
COPY target/app.jar /app/app.jar
EXPOSE 8080
ENTRYPOINT ["java","-jar","/app/app.jar"]
""",
    ),
    StartForm(
        "exec-flags",
        """\
ENV DEMO_MODE=flags
WORKDIR /srv/app
ADD target/*.jar service.jar
ENTRYPOINT ["java", "-Xmx256m", "-Ddemo.property=a b", "--add-opens=java.base/java.lang=ALL-UNNAMED", \\
            "-jar", "service.jar", "--demo.fixed=1"]
""",
    ),
    StartForm(
        "shell",
        """\
WORKDIR /app
COPY target/app.jar app.jar
ENV JAVA_OPTS="-Ddemo.property=shell -Xmx256m"
ENTRYPOINT java $JAVA_OPTS -jar app.jar
""",
        takes_arguments=False,
    ),
    StartForm(
        "sh-c",
        """\
COPY target/app.jar /app.jar
ENV JAVA_OPTS="-Ddemo.property=sh-c"
ENTRYPOINT ["sh", "-c", "java $JAVA_OPTS -jar /app.jar $0 $@"]
""",
    ),
    StartForm(
        "exec-java",
        """\
ARG JAR_FILE=target/app.jar
COPY ${JAR_FILE} /opt/service/app.jar
ENV JAVA_OPTS="-Ddemo.property=exec"
ENTRYPOINT exec java $JAVA_OPTS -Duser.timezone=Asia/Shanghai -jar /opt/service/app.jar
""",
        takes_arguments=False,
    ),
    StartForm(
        "cmd-arguments",
        """\
COPY target/app.jar /app.jar
USER 1001
ENTRYPOINT ["java","-jar","/app.jar"]
CMD ["--demo.property=from-cmd"]
""",
        takes_arguments=False,
    ),
    StartForm(
        "script",
        """\
WORKDIR /srv
COPY target/app.jar app.jar
COPY start.sh /start.sh
RUN chmod +x /start.sh
ENTRYPOINT ["/start.sh"]
""",
        files={
            "start.sh": '#!/bin/sh\nset -e\nexec java -Ddemo.property=script $JAVA_OPTS -jar /srv/app.jar "$@"\n'
        },
    ),
    StartForm(
        "script-with-functions",
        """\
WORKDIR /srv
COPY target/app.jar /srv/
COPY start /usr/local/bin/start
RUN chmod +x /usr/local/bin/start
COPY functions.sh /opt/functions.sh
ENTRYPOINT ["start"]
""",
        files={"functions.sh": FUNCTIONS, "start": START},
    ),
)

# written by the Dockerfile: `\$` is for the shell, `$APP` for the builder, which fills it in between apostrophes, too
HERE_DOCUMENT = StartForm(
    "here-document",
    """\
ENV APP=/srv/app.jar
COPY target/app.jar /srv/app.jar
COPY --chmod=755 <<SCRIPT /usr/local/bin/start
#!/bin/sh
say() { echo "starting \\$1 with $UNKNOWN" 'and' "${GREETING:-nothing}"; }
say '$APP'
exec java -Ddemo.property=here \\$JAVA_OPTS -jar '$APP' "\\$@"
SCRIPT
ENTRYPOINT ["start"]
""",
)


def context(directory: Path, jar: Path, form: StartForm, base: str) -> Path:
    """A build context as a project has it: Dockerfile, `target/app.jar` and what else the form copies."""
    (directory / "target").mkdir(parents=True)
    (directory / "target" / jar.name).hardlink_to(jar)
    (directory / "Dockerfile").write_text(f"FROM {base}\n{form.dockerfile}")
    for name, text in form.files.items():
        (directory / name).write_text(text)
    return directory


def provide_bases(engine: Engine, dockerfile: Path) -> None:
    """Have a stand-in for every image that a Dockerfile's FROM lines and COPY --from name."""
    stages: set[str] = set()
    for line in dockerfile.read_text().splitlines():
        if found := re.match(r"(?i)FROM\s+(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?", line):
            if found[1] not in stages:
                stand_in(engine, found[1])
            stages.add(found[2] or "")
