"""Dockerfiles and build contexts like those of real Java services, put together by chance.

The forms are those that public Dockerfiles use: mirrors and private registries, ARG and ENV in all their spellings,
packages from apt, apk and yum, users, time zones, agents, build stages with Maven and Gradle, jars unpacked in a RUN,
start scripts, wars in Tomcat, here-documents, JSON forms, templates, CRLF; and mistakes people make with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import strategies as st

Text = st.SearchStrategy[str]


@dataclass(frozen=True)
class Sample:
    """``jars``, ``scripts`` and ``ignore`` name a context of `contexts`; the rest are options of the run."""

    text: str
    jars: str
    scripts: str
    ignore: str
    runtime: str
    platform: str | None
    spring_boot: str | None
    build_args: tuple[tuple[str, str], ...]
    select: tuple[str, ...]


def some(*items: str) -> Text:
    return st.sampled_from(items)


JARS = ("boot", "layertools", "boot-2.1", "boot-1.5", "war", "shaded", "several", "plain-beside", "html", "native", "none",
        "script-in-front", "fonts", "custom-launcher", "module", "broken", "no-index", "java-8", "agents")  # fmt: skip
SCRIPTS = ("none", "posix", "bash", "crlf", "variable", "tools", "wait", "self-check", "other-jar", "binary")
IGNORE = ("none", "target", "negated", "all")

MIRRORS = some(
    *[""] * 8, "docker.io/", "docker.io/library/", "harbor.corp/library/", "harbor.corp:5000/hub/", "public.ecr.aws/docker/library/",
    "m.daocloud.io/docker.io/library/", "registry.cn-hangzhou.aliyuncs.com/dockerhub_mirror/", "mirror.gcr.io/library/", "${REGISTRY}/",
    "${REGISTRY:-docker.io/library}/", "index.docker.io/", "$HUB/",
)  # fmt: skip
IMAGES = some(
    "openjdk:8", "openjdk:8-jdk-alpine", "openjdk:8-jre-alpine", "openjdk:8u212-jre", "openjdk:11-jre-slim", "openjdk:11-jre-slim-buster",
    "openjdk:17-jdk-slim", "openjdk:17", "openjdk:17-alpine", "openjdk:21-jdk", "openjdk", "java:8", "java:8-jre", "eclipse-temurin:8-jre",
    "eclipse-temurin:17", "eclipse-temurin:17-jdk", "eclipse-temurin:17-jdk-jammy", "eclipse-temurin:17.0.5_8-jre-focal", "eclipse-temurin:21-jre-alpine",
    "eclipse-temurin:21-jdk-alpine", "eclipse-temurin:25-jdk", "eclipse-temurin:21-jre-ubi9-minimal", "amazoncorretto:17", "amazoncorretto:21-alpine3.18-full",
    "amazoncorretto:11-al2023-headless", "adoptopenjdk:11-jre-hotspot", "adoptopenjdk/openjdk11:alpine-jre", "anapsix/alpine-java:8", "frolvlad/alpine-java",
    "azul/zulu-openjdk-alpine:8", "azul/zulu-openjdk:17-jre", "bellsoft/liberica-openjdk-alpine:17", "bellsoft/liberica-runtime-container:jre-21-slim-musl",
    "ibm-semeru-runtimes:open-17-jre", "ibmjava:8-jre", "sapmachine:17", "gcr.io/distroless/java17-debian12", "gcr.io/distroless/java21-debian12:nonroot",
    "registry.access.redhat.com/ubi9/openjdk-17:1.21", "registry.access.redhat.com/ubi8/openjdk-17-runtime", "fabric8/java-alpine-openjdk8-jdk",
    "tomcat:9-jdk17", "tomcat:10.1-jre17-temurin", "jetty:11-jre17", "jboss/wildfly", "ghcr.io/graalvm/jdk-community:21", "alpine:3.20", "alpine", "centos:7",
    "ubuntu:22.04", "debian:12-slim", "scratch", "nginx:alpine", "busybox", "maven:3.9-eclipse-temurin-17", "gradle:8-jdk17", "harbor.corp/base/jdk17:1.0",
    "mycorp/java:17", "${BASE}", "$BASE_IMAGE", "eclipse-temurin:${JAVA}-jdk", "eclipse-temurin:${JAVA:-17}-jdk", "openjdk:${JAVA}", "${BASE:-openjdk:17}",
    "eclipse-temurin:17-jdk@sha256:" + "0a" * 32, '"eclipse-temurin:17-jdk"', "{{ base }}", "<base>", "OpenJDK:17", "eclipse-temurin:17-JDK", "java:8@latest",
)  # fmt: skip
TEMURIN = some("openjdk:17-jdk-slim", "eclipse-temurin:17-jdk", "eclipse-temurin:21-jdk", "openjdk:8", "openjdk:8-jdk-alpine", "amazoncorretto:17",
               "eclipse-temurin:17-jre", "openjdk:11-jre-slim", "eclipse-temurin:17-jre-alpine", "eclipse-temurin:8-jdk")  # fmt: skip

PACKAGES = some("curl", "tzdata", "fontconfig", "ttf-dejavu", "bash", "libc6-compat", "gcompat", "ca-certificates", "tini", "dumb-init", "su-exec", "gosu",
                "netcat", "vim", "procps", "libfreetype6", "openjdk-17-jdk", "openjdk17-jre", "java-17-openjdk-headless", "locales", "unzip", "wget=1.21*")  # fmt: skip
GLOBAL = some(
    "ARG BASE=eclipse-temurin:17-jdk", "ARG BASE", "ARG REGISTRY=docker.io/library", "ARG JAVA=17", "ARG JAVA", "ARG HUB=harbor.corp/hub", "ARG BASE_IMAGE=openjdk:8",
    "ARG JAR_FILE=target/app.jar", "# the service", "ARG BASE=\"openjdk:17\"", "ARG A=1 BASE=openjdk:11", "arg JAVA=21", "ARG BASE=${REGISTRY}/openjdk:17",
)  # fmt: skip
HEADS = some(*[""] * 6, "# syntax=docker/dockerfile:1\n", "# syntax=docker/dockerfile:1.4-labs\n", "#\n# Licensed to nobody\n#\n", "# escape=`\n", "# check=skip=all\n",
             "\n\n", "# imgopt: ignore-file: not ours\n", "# 服务镜像\n", "## build: docker build -t x .\n", "\ufeff")  # fmt: skip

SETTINGS = some(
    "ENV TZ=Asia/Shanghai", "ENV TZ Asia/Shanghai", "ENV LANG=C.UTF-8 LC_ALL=C.UTF-8", "ENV LANG zh_CN.UTF-8", "ENV LC_ALL zh_CN.GBK", 'ENV JAVA_OPTS=""',
    'ENV JAVA_OPTS="-Xms256m -Xmx512m -Djava.security.egd=file:/dev/./urandom"', "ENV JAVA_OPTS '-Dserver.port=8080'", "ENV PATH=$PATH:$JAVA_HOME/bin", "ENV JAVA_HOME=/opt/java",
    "ENV JAR app.jar", "ENV APP_HOME=/srv JAR=app.jar", "ENV APP_HOME /srv", "ENV SPRING_PROFILES_ACTIVE=prod", "ENV A=$A$A", "ENV X=${X:-y}", 'ENV JAVA_TOOL_OPTIONS="-XX:MaxRAMPercentage=75"',
    'ENV JAVA_TOOL_OPTIONS="-javaagent:/agent/agent.jar"', "ENV LD_PRELOAD=/usr/lib/libjemalloc.so.2", 'ENV RUN="sh -c \\"$RUN\\""', "ENV LOADER_PATH=/ext", "ENV CLASSPATH=/app.jar:/lib/*",
    "ARG JAR_FILE=target/app.jar", "ARG JAR_FILE=target/*.jar", "ARG JAR_FILE", "ARG VERSION=1.0", "ARG USER=app", "ARG TARGETARCH", "ARG JAVA", "ARG A=1 B=2", "ARG HTTP_PROXY",
    "LABEL maintainer=\"me\"", "LABEL a=b c='d e'", "LABEL version 1.0", "MAINTAINER me <me@example.org>", "EXPOSE 8080", "EXPOSE 8080 8081/udp", "EXPOSE ${PORT}", "EXPOSE $SERVER_PORT/tcp",
    "VOLUME /tmp", 'VOLUME ["/tmp", "/logs"]', "VOLUME /app", "WORKDIR /app", "WORKDIR $APP_HOME", "WORKDIR app", "WORKDIR /", "WORKDIR /application", "WORKDIR /extract", 'WORKDIR "/srv/my app"',
    "USER 1000", "USER 1000:1000", "USER app", "USER root", "USER nobody:nogroup", "USER ${USER}", "USER 185", "STOPSIGNAL SIGTERM", "STOPSIGNAL 9", 'SHELL ["/bin/bash", "-o", "pipefail", "-c"]',
    'SHELL ["/bin/sh", "-c"]', "HEALTHCHECK NONE", "HEALTHCHECK CMD curl -f http://localhost:8080/actuator/health || exit 1", 'HEALTHCHECK --interval=5s --timeout=3s CMD ["wget", "-qO-", "localhost:8080"]',
    "HEALTHCHECK CMD pgrep -f app.jar", "HEALTHCHECK CMD jcmd 1 VM.version", "ONBUILD RUN true", "ONBUILD COPY target/app.jar /app.jar", "ONBUILD ADD . /src",
    "# imgopt: ignore=jdk-runtime: support attaches with jcmd", "# imgopt: ignore=fat-jar-layer,glibc-runtime", "# a comment", "#ENTRYPOINT [\"java\"]", "", "",
)  # fmt: skip
TOUCHING = some(
    "RUN touch app.jar", "RUN sh -c 'touch /app.jar'", "RUN bash -c 'touch /app.jar'", "RUN chmod +x app.jar", "RUN chmod 755 /app/*.jar", "RUN chown -R app:app /app", "RUN chown 1000 app.jar && ls -l",
    "RUN mv app.jar application.jar", "RUN mv *.jar app.jar", "RUN cp app.jar /backup.jar", "RUN rm app.jar", "RUN rm -rf /app/*", "RUN mkdir -p /app/logs", "RUN mkdir target/dependency && (cd target/dependency; jar -xf ../*.jar)",
    "RUN unzip -q app.jar -d /x", "RUN jar xf app.jar", "RUN java -Djarmode=layertools -jar app.jar extract", "RUN java -Djarmode=tools -jar app.jar extract --layers --launcher --destination x",
    "RUN java -Djarmode=tools -jar app.jar extract", "RUN java -Xshare:dump", "RUN java -XX:ArchiveClassesAtExit=app.jsa -Dspring.context.exit=onRefresh -jar app.jar", "RUN ln -s /app/app.jar /app.jar",
    "RUN ls /app && test -f app.jar", "RUN sha256sum app.jar > app.sha", "RUN cp -r /app /app/a && cp -r /app /app/b", "RUN for i in 1 2 3; do cp app.jar $i.jar; done", 'RUN sh -c "sh -c \'touch app.jar\'"',
)  # fmt: skip
COMMANDS = some(
    "RUN ln -sf /usr/share/zoneinfo/$TZ /etc/localtime && echo $TZ > /etc/timezone", "RUN ln -snf /usr/share/zoneinfo/Asia/Shanghai /etc/localtime", "RUN sed -i 's/dl-cdn.alpinelinux.org/mirrors.aliyun.com/g' /etc/apk/repositories",
    "RUN sed -i 's@//.*archive.ubuntu.com@//mirrors.aliyun.com@g' /etc/apt/sources.list.d/ubuntu.sources", "RUN useradd app", "RUN groupadd -g 1001 app && useradd -m -u 1001 -g app app", "RUN addgroup -S app && adduser -S app -G app",
    "RUN adduser --system --group app", "RUN adduser -D -u 1000 app", "RUN echo 'networkaddress.cache.ttl=5' >> $JAVA_HOME/jre/lib/security/java.security", "RUN keytool -importcert -noprompt -cacerts -storepass changeit -file ca.crt",
    "RUN curl -fsSL https://example.org/agent.jar -o /agent.jar", "RUN wget -q https://example.org/a.tgz && tar xzf a.tgz", "RUN set -eux; apk add curl; rm -rf /tmp/*", "RUN java -version", "RUN javac -version", "RUN jlink --version",
    'RUN ["/bin/sh", "-c", "echo hi"]', 'RUN ["touch", "/app.jar"]', "RUN <<EOF\nset -e\necho hi\nEOF", "RUN <<'EOF' cat > /etc/x\n$TZ\nEOF", "RUN <<-EOF\n\tapk add curl\n\tEOF", "COPY <<EOF /etc/x.conf\na=b\nEOF",
    "RUN --mount=type=cache,target=/root/.m2 true", "RUN --mount=type=bind,source=target,target=/t cp /t/app.jar /app.jar", "RUN --network=none true", "RUN if [ -f app.jar ]; then echo yes; else exit 1; fi",
    "RUN apk --no-cache add --virtual .x curl && apk del .x", "RUN update-ca-certificates", "RUN locale-gen zh_CN.UTF-8", "RUN fc-cache -f", "RUN chmod +x /entrypoint.sh", "RUN dos2unix /entrypoint.sh", "RUN mkdir -p /logs",
    "RUN /bin/bash -c 'source /etc/profile'", "RUN \"unclosed", "RUN echo \"$(date \"+%Y\")\"", "RUN a=$(for i in `ls`; do echo $i; done); echo ${a%%*/}", "RUN", "RUN true \\", "RUN { echo a; } > /b", "RUN echo {a,b}",
    "RUN apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless && rm -rf /var/lib/apt/lists/*", "RUN addgroup app || true", "RUN exec java -jar app.jar", "RUN yum makecache && yum clean all",
)  # fmt: skip
EXTRA = some(
    "COPY conf /conf", "COPY conf/application.yml config/", "COPY --chmod=755 docker/entrypoint.sh /entrypoint.sh", "COPY docker/entrypoint.sh /usr/local/bin/", "ADD docker/run.sh run.sh", "COPY docker/ /docker/",
    "ADD https://example.org/agent.jar /agent/agent.jar", "COPY agent/agent.jar /agent/agent.jar", "ADD agent/ /agent", "COPY --from=nginx:alpine /etc/nginx /etc/nginx", "COPY --from=0 /etc /etc", "COPY nothing /nothing",
    "COPY --from=build /src/target/*.jar /lib/", "ADD conf.tar.gz /conf", "COPY lib/*.jar /lib/", "COPY target/classes /app/classes", "COPY --link conf /conf", "COPY --exclude=*.md . /all", "COPY --parents conf/a.yml /p/",
    "COPY . /app", "COPY ./ ./", "COPY [\"conf\", \"/conf dir/\"]", "COPY --from=9 / /", "COPY --from=build /src /app", "COPY --from=build [z-a] /x/", "COPY --from=build /src/target/**.jar /x/", "COPY [!a]*.jar ?pp.jar /x/",
    "COPY", "COPY a", "ADD git@example.org:a/b.git /b", "COPY ../x /x", "COPY /etc/passwd /x", "COPY target/app.jar target/app.jar /two/",
)  # fmt: skip
SOURCES = some(
    *["target/app.jar"] * 6, "target/*.jar", "./target/app.jar", "/target/app.jar", "target/app*.jar", "${JAR_FILE}", "$JAR_FILE", "target/${JAR}", "target/", ".", "build/libs/app.jar", "build/libs/*.jar", "service/target/app.jar",
    "*.jar", "**/target/*.jar", "target/app.war", "target/[a-z]*.jar", '"target/app.jar"', "target/gone.jar", "target//app.jar", "target/app-1.0-SNAPSHOT.jar", "target/?pp.jar", "{{ jar }}",
)  # fmt: skip
TARGETS = some(
    *["app.jar", "/app.jar", "/app/app.jar", "/app/"] * 3, ".", "./", "/", "/app", "/srv/", "$APP_HOME/app.jar", "${APP_HOME}/", "application.jar", "/application/app.jar", "/opt/app/application.jar", "/usr/local/tomcat/webapps/ROOT.war",
    "/extract/x.jar", '"/my app/app.jar"', "/deployments/", "/var/lib/jetty/webapps/", "${TARGET:-/app.jar}", "../app.jar", "/tmp/app.jar",
)  # fmt: skip
FLAGS = some(
    *[""] * 8,
    "--chown=1000:1000 ",
    "--chown=app:app ",
    "--chown=${USER} ",
    "--chmod=644 ",
    "--link ",
    "--chown=185 --chmod=0755 ",
    "--chown=app ",
)
JAR_PLACES = some(
    *["app.jar", "/app.jar", "/app/app.jar"] * 3,
    "application.jar",
    "$JAR",
    "${APP_HOME}/app.jar",
    "/srv/app.jar",
    "*.jar",
    "/app/*.jar",
    "target/app.jar",
    "./app.jar",
    "/lib/x.jar",
)
JAVA_FLAGS = some(
    *[""] * 3, "-Xmx1g ", "$JAVA_OPTS ", "${JAVA_OPTS} ", "-Djava.security.egd=file:/dev/./urandom ", "-javaagent:/agent/agent.jar ", "-XX:+UseContainerSupport -Dspring.profiles.active=${PROFILE:-prod} ", "-Dloader.path=/ext ",
    "-XX:SharedArchiveFile=app.jsa ", "-server -Xms128m ", "@/app/args ", "-agentlib:jdwp=transport=dt_socket,server=y,address=5005 ", "$(cat opts) ", "-cp /app.jar:/lib/* ", "--add-opens java.base/java.lang=ALL-UNNAMED ",
)  # fmt: skip
BEHIND = some(
    *[""] * 5,
    " --server.port=80",
    " $0 $@",
    ' "$@"',
    " > /logs/out.log 2>&1",
    " &",
    " ${ARGS}",
    " | tee log",
    " && true",
    " || exit 1",
)
BEFORE = some(
    *[""] * 6,
    "exec ",
    "cd /app && ",
    "sleep 30;",
    "nohup ",
    "tini -- ",
    "sh -c ",
    "set -e; exec ",
    "env A=b ",
    "su-exec app ",
    "TZ=UTC ",
    "./wait-for db:1 -- ",
    "dumb-init ",
    "/usr/bin/",
    "( ",
)
STARTS = some(
    'ENTRYPOINT ["/entrypoint.sh"]', 'ENTRYPOINT ["sh", "/docker/entrypoint.sh"]', "ENTRYPOINT /entrypoint.sh", 'CMD ["./run.sh"]', "CMD sh run.sh", 'ENTRYPOINT ["docker-entrypoint.sh"]', 'CMD ["catalina.sh", "run"]', "",
    'ENTRYPOINT ["java", "org.springframework.boot.loader.JarLauncher"]', 'ENTRYPOINT ["java", "org.springframework.boot.loader.launch.JarLauncher"]', 'ENTRYPOINT ["java", "-cp", "app:app/lib/*", "com.example.App"]',
    'ENTRYPOINT ["java"]\nCMD ["-jar", "app.jar"]', 'ENTRYPOINT ["java", "-jar"]\nCMD ["app.jar"]', "ENTRYPOINT []", "CMD", 'ENTRYPOINT ["java", "-jar", "app.jar",]', "ENTRYPOINT ['java', '-jar', 'app.jar']", 'ENTRYPOINT ["java" "-jar"]',
    'ENTRYPOINT ["sh", "-c", "sh -c \\"$RUN\\""]', 'CMD ["--server.port=80"]', 'ENTRYPOINT [ "/usr/bin/tini", "--" ]\nCMD [ "java", "-jar", "app.jar" ]', "CMD java -jar target/*.jar", 'CMD ["sh", "-c", "$RUN"]',
)  # fmt: skip
BUILDS = some(
    "FROM maven:3.9-eclipse-temurin-17 AS build\nWORKDIR /src\nCOPY pom.xml .\nRUN mvn -q dependency:go-offline\nCOPY src src\nRUN mvn -q package -DskipTests",
    "FROM maven:3.8-openjdk-8 as build\nWORKDIR /src\nADD . .\nRUN mvn clean package",
    "FROM gradle:8-jdk17 AS build\nWORKDIR /src\nCOPY --chown=gradle . .\nRUN --mount=type=cache,target=/root/.gradle gradle bootJar --no-daemon",
    "FROM eclipse-temurin:17-jdk AS build\nWORKDIR /src\nCOPY . .\nRUN ./mvnw -q package",
    "FROM eclipse-temurin:17-jre AS build\nWORKDIR /src\nCOPY target/app.jar target/app.jar\nRUN java -Djarmode=layertools -jar target/app.jar extract",
    "FROM eclipse-temurin:17-jdk AS build\nWORKDIR /src\nCOPY target/app.jar app.jar\nRUN java -Djarmode=tools -jar app.jar extract --layers --launcher --destination extracted",
    "FROM openjdk:8 AS build\nWORKDIR /src\nARG JAR_FILE=target/*.jar\nCOPY ${JAR_FILE} app.jar\nRUN mkdir dep && (cd dep; jar -xf ../app.jar)",
    "FROM node:20 AS ui\nWORKDIR /ui\nCOPY . .\nRUN npm ci && npm run build", "FROM build AS test\nRUN mvn verify", "FROM scratch AS extract\nCOPY conf /", "FROM eclipse-temurin:17-jdk AS jre\nRUN jlink --output /jre --add-modules java.base",
    "FROM --platform=$BUILDPLATFORM maven:3 AS build\nARG TARGETARCH\nRUN mvn package", "FROM alpine AS Base\nRUN apk add tzdata", "FROM base", "FROM nobody AS x",
)  # fmt: skip
BUILT_HERE = some(
    "WORKDIR /app\nCOPY . .\nRUN mvn -q package -DskipTests", "COPY . /app\nWORKDIR /app\nRUN ./mvnw package && mv target/*.jar app.jar", "COPY . .\nRUN ./gradlew bootJar --no-daemon",
    "WORKDIR /src\nCOPY pom.xml mvnw ./\nCOPY .mvn .mvn\nRUN chmod +x mvnw && ./mvnw dependency:go-offline\nCOPY src src\nRUN ./mvnw package", "WORKDIR /app\nADD . .\nRUN mvn package && cp target/app.jar /app.jar && rm -rf ~/.m2 src",
    "RUN git clone https://example.org/app.git /app && cd /app && mvn package", "COPY --chown=app . /app\nRUN cd /app && mvn -f pom.xml package", "WORKDIR /app\nCOPY . .\nRUN npm ci && npm run build\nRUN mvn package\nRUN rm -rf node_modules",
    "WORKDIR /app\nCOPY . .\nRUN ./mvnw package\nWORKDIR /opt\nRUN mv /app/target/app.jar app.jar", "RUN mvn -v", "WORKDIR /app\nCOPY . .\nRUN <<EOF\nmvn package\nEOF",
)  # fmt: skip
FROM_STAGE = some(
    "COPY --from=build /src/target/app.jar app.jar", "COPY --from=build /src/target/*.jar /app.jar", "COPY --from=0 /src/target/app.jar /app/app.jar", "COPY --from=build /src/build/libs/*.jar /app/", "COPY --chown=app --from=build /src/target/app.jar .",
    "COPY --from=BUILD /src/target/*-exec.jar app.jar", "COPY --from=ui /ui/dist /static", "COPY --from=jre /jre /opt/jre", "COPY --from=build /src/target/app-${VERSION}.jar app.jar", "COPY --from=build src/target/app.jar ./",
    "COPY --from=build /src/dependencies/ ./\nCOPY --from=build /src/spring-boot-loader/ ./\nCOPY --from=build /src/snapshot-dependencies/ ./\nCOPY --from=build /src/application/ ./",
    "COPY --from=build /src/extracted/dependencies/ ./\nCOPY --from=build /src/extracted/spring-boot-loader/ ./\nCOPY --from=build /src/extracted/snapshot-dependencies/ ./\nCOPY --from=build /src/extracted/application/ ./",
    "COPY --from=build /src/application/ ./\nCOPY --from=build /src/dependencies/ ./", "COPY --from=build /src/dep/BOOT-INF/lib /app/lib\nCOPY --from=build /src/dep/META-INF /app/META-INF\nCOPY --from=build /src/dep/BOOT-INF/classes /app",
)  # fmt: skip


@st.composite
def packages(draw: st.DrawFn) -> str:
    names = " ".join(draw(st.lists(PACKAGES, min_size=1, max_size=3)))
    form = draw(
        some(
            "apt-get update && apt-get install -y {} && rm -rf /var/lib/apt/lists/*", "apt-get -qq update; apt-get install {} -y", "apk add --no-cache {}", "apk update && apk add {}", "apk add -U {}",
            "yum install -y {} && yum clean all", "microdnf install {}", "dnf -y install {} --setopt=install_weak_deps=False", "apt update && DEBIAN_FRONTEND=noninteractive apt install --yes {}", "apk add {} --repository http://x/",
            "apt-get install -y {}", "apk add --virtual build {} && apk del build", "set -ex && apk add --no-cache {} && echo done", "(apk add {} || apt-get install -y {})",
        )
    )  # fmt: skip
    return "RUN " + form.replace("{}", names)


@st.composite
def jar_copies(draw: st.DrawFn) -> str:
    keyword = draw(some("COPY", "COPY", "ADD"))
    source, target, flags = draw(SOURCES), draw(TARGETS), draw(FLAGS)
    if draw(st.integers(0, 9)) == 0:
        words = ", ".join('"' + word.strip('"') + '"' for word in (source, target))
        return f"{keyword} {flags}[{words}]"
    return f"{keyword} {flags}{source} {target}"


@st.composite
def starts(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 3)) == 0:
        return draw(STARTS)
    keyword = draw(some("ENTRYPOINT", "ENTRYPOINT", "CMD"))
    call = f"{draw(BEFORE)}java {draw(JAVA_FLAGS)}-jar {draw(JAR_PLACES)}{draw(BEHIND)}"
    form = draw(st.integers(0, 4))
    if form < 2:
        spaced = draw(some(", ", ",", " , ", ", \\\n    "))
        return (
            f"{keyword} [" + spaced.join('"' + word.replace('"', '\\"') + '"' for word in call.split()) + "]"
        )
    if form == 2:
        escaped = call.replace('"', '\\"')
        return f'{keyword} ["{draw(some("sh", "/bin/sh", "bash"))}", "-c", "{escaped}"]'
    return f"{keyword} {call}"


@st.composite
def styled(draw: st.DrawFn, text: str) -> str:
    """An instruction as someone else would type it."""
    if not text or text.startswith("#") or "<<" in text:
        return text
    style = draw(st.integers(0, 19))
    if style == 0:
        return re.sub(r"^\w+", lambda match: match[0].lower(), text, flags=re.MULTILINE)
    if style == 1:
        return re.sub(r"^\w+", lambda match: match[0].capitalize(), text, flags=re.MULTILINE)
    if style == 2:
        return text.replace(" && ", " \\\n    && ")
    if style == 3:
        return text.replace(" && ", " && \\\n    # and then\n    ").replace("; ", "; \\\n\n  ")
    if style == 4:
        return text.replace(" ", "  ", 1)
    if style == 5:
        return text.replace(" ", "\t", 1)
    if style == 6:
        return "    " + text
    if style == 7:
        return text + "   "
    if style == 8 and text.count(" ") > 1:
        at = text.rindex(" ")
        return text[:at] + " \\\n  # 注释\n " + text[at:]
    if style == 9:
        return text.replace(" ", " \\\n", 1)
    if style == 10:
        return text + " # trailing"
    return text


@st.composite
def texts(draw: st.DrawFn) -> str:
    lines = [draw(HEADS)]
    lines += draw(st.lists(GLOBAL, max_size=3))
    builds = draw(st.lists(BUILDS, max_size=2, unique=True)) if draw(st.booleans()) else []
    lines += builds
    image = draw(MIRRORS) + draw(IMAGES) if draw(st.booleans()) else draw(TEMURIN)
    flag = draw(
        some(*[""] * 8, "--platform=linux/amd64 ", "--platform=$TARGETPLATFORM ", "--platform=linux/arm64 ")
    )
    name = draw(some(*[""] * 5, " AS runtime", " as Final", " AS extract", " AS app"))
    lines.append(f"{draw(some('FROM', 'FROM', 'FROM', 'from'))} {flag}{image}{name}")
    others = st.one_of(SETTINGS, SETTINGS, COMMANDS, packages(), EXTRA)
    body = draw(st.lists(others, max_size=5))
    if draw(st.integers(0, 5)) == 0:
        body += draw(BUILT_HERE).split("\n") if draw(st.booleans()) else [draw(BUILT_HERE)]
    copies = [jar_copies(), jar_copies(), FROM_STAGE] if builds else [jar_copies()]
    body += draw(st.lists(st.one_of(copies), min_size=0, max_size=2))
    body += draw(st.lists(st.one_of(SETTINGS, TOUCHING, TOUCHING, COMMANDS), max_size=4))
    body.append(draw(starts()))
    body += draw(st.lists(st.one_of(SETTINGS, starts()), max_size=2))
    lines += [draw(styled(text)) for text in body]
    if draw(st.integers(0, 30)) == 0:
        lines.append(
            draw(some("FROM runtime", "FROM scratch\nCOPY --from=runtime / /", "FROM alpine AS debug"))
        )
    text = lines[0] + "\n".join(lines[1:]) + draw(some("\n", "\n", "", "\n\n", "\n# end", "\n#end\n"))
    if lines[0].startswith("# escape"):
        text = text.replace("\\\n", "`\n")
    return text.replace("\n", "\r\n") if "<<" not in text and draw(st.integers(0, 7)) == 0 else text


@st.composite
def changed(draw: st.DrawFn, texts: list[str]) -> str:
    """One of the texts, with a few lines more, fewer or moved."""
    lines = draw(st.sampled_from(texts)).split("\n")
    line = st.one_of(SETTINGS, COMMANDS, packages(), EXTRA, TOUCHING, starts(), jar_copies())
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines)))
        kind = draw(st.integers(0, 3))
        if kind == 0 and at < len(lines):
            del lines[at]
        elif kind == 1 and at < len(lines):
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
        else:
            lines.insert(at, draw(line))
    return "\n".join(lines)


@st.composite
def samples(draw: st.DrawFn, rules: tuple[str, ...] = (), others: Text | None = None) -> Sample:
    """``others``: texts from elsewhere, each with a context that fits it."""
    other = draw(others) if others is not None and draw(st.booleans()) else None
    given_args = (
        ("BASE", "openjdk:17"),
        ("JAVA", "17"),
        ("JAR_FILE", "target/app.jar"),
        ("VERSION", "2"),
        ("A", ""),
    )
    return Sample(
        text=draw(texts()) if other is None else other,
        jars=draw(some("boot", "boot", *JARS)) if other is None else "fitting",
        scripts=draw(some(*SCRIPTS)),
        ignore=draw(some("none", "none", *IGNORE)),
        runtime=draw(some("auto", "auto", "auto", "alpine", "glibc")),
        platform=draw(st.sampled_from([None, None, None, "linux/arm64", "linux/amd64"])),
        spring_boot=draw(st.sampled_from([None, None, "3.5.4", "2.7.18", "2.1.0"])),
        build_args=tuple(draw(st.lists(st.sampled_from(given_args), max_size=2, unique=True))),
        select=tuple(draw(st.lists(st.sampled_from(rules), max_size=2)))
        if rules and draw(st.integers(0, 7)) == 0
        else (),
    )
