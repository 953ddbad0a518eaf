"""What a RUN may read or write, as far as its text tells."""

from __future__ import annotations

import pytest

from imgopt.dockerfile import parse
from imgopt.options import Options
from imgopt.picture import take_picture
from imgopt.picture.reach import Reach, is_own_place, reach_of


def reach(run: str, above: str = "WORKDIR /work") -> Reach:
    document = parse(
        f"FROM eclipse-temurin:17-jre\nENV TZ=UTC APP=/app\nARG OPEN\n{above}\n{run}\n".encode(), "Dockerfile"
    )
    picture = take_picture(document, None, Options())
    return reach_of(picture, document.stages[-1].instructions[-1])


@pytest.mark.parametrize(
    "run",
    [
        "RUN apt-get update && apt-get install -y --no-install-recommends curl=7.* && rm -rf /var/lib/apt/lists/*",
        "RUN apk add --no-cache tzdata && cp /usr/share/zoneinfo/Asia/Shanghai /etc/localtime",
        "RUN ln -snf /usr/share/zoneinfo/$TZ /etc/localtime && echo $TZ > /etc/timezone",
        "RUN sed -i 's/deb.debian.org/mirrors.aliyun.com/g' /etc/apt/sources.list",
        "RUN groupadd -r app && useradd -r -g app app",
        "RUN mkdir -p logs && chown 1000:1000 logs",
        "RUN curl -fsSL https://example.com/app/agent.jar -o /agent.jar",
        "RUN sh -c 'touch /tmp/x'",
        'RUN ["mkdir", "/data"]',
        "RUN find /var/log -name '*.gz' -exec rm {} +",
        "RUN --mount=type=cache,target=/root/.cache apt-get update",
        "RUN for file in /etc/*.conf; do echo $file; done",
        "RUN java -version",
        "RUN <<EOF\nset -e\nmkdir -p /data\nEOF",
    ],
)
def test_runs_that_leave_the_application_alone(run: str) -> None:
    assert not reach(run).meets("/app")
    assert not reach(run).meets("/app.jar")


@pytest.mark.parametrize(
    "run",
    [
        "RUN ls /app",
        "RUN chown -R 1000 /",
        "RUN rm -rf /*",
        "RUN cp /app/start.sh /start.sh",
        "RUN mkdir -p ${APP}/logs",
        "RUN cd /app && touch x",
        "RUN cd $OPEN && touch x",
        "RUN touch $OPEN",
        "RUN keytool -importcert -keystore=/app/store.jks",
        "RUN tar -C/app -xzf /tmp/x.tar.gz",
        "RUN ./install.sh",
        "RUN java -jar /other.jar",
        "RUN python3 -m compileall",
        "RUN sh /start.sh",
        "RUN echo $(cat /app/version)",
        "RUN echo `ls`",
        "RUN find / -name '*.jar'",
        "RUN find /data -exec sh -c 'rm /app/x' +",
        "RUN echo hello > /app/hello",
        "RUN cat < /app/hello",
        "RUN X=/app && ls $X",
        "RUN APP=/else; ls $APP/../app",
        "RUN for d in /app /data; do rm -rf $d; done",
        "RUN if true; then rm -rf /app; fi",
        "RUN --mount=type=bind,source=x,target=/app/x true",
        "RUN python3 <<EOF\nprint()\nEOF",
        "RUN <<EOF\n#!/usr/bin/python3\nprint()\nEOF",
        "RUN cat 'unfinished",
    ],
)
def test_runs_that_may_touch_the_application(run: str) -> None:
    assert reach(run).meets("/app")


def test_relative_paths_are_of_the_working_directory() -> None:
    assert reach("RUN mkdir logs", above="WORKDIR /app").meets("/app")
    assert not reach("RUN mkdir logs", above="WORKDIR /data").meets("/app")
    assert reach("RUN wget https://example.com/x.jar", above="WORKDIR /app").meets("/app")
    assert reach("RUN mkdir logs", above="WORKDIR $OPEN").meets("/app")


def test_another_shell_may_mean_anything() -> None:
    assert reach("RUN mkdir /data", above='SHELL ["/usr/bin/python3", "-c"]').meets("/app")


def test_package_managers_write_where_the_system_does() -> None:
    run = reach("RUN apt-get install -y curl")
    assert run.meets("/usr/share/app") and run.meets("/tmp/app.jar") and not run.meets("/opt/app")
    assert run.new_users and not run.changed_users
    assert reach("RUN usermod -u 1001 app").changed_users


@pytest.mark.parametrize(
    "path", ["/app", "/app.jar", "/opt/shop", "/srv/shop/lib", "/usr/src/app", "/data/x"]
)
def test_places_of_an_application(path: str) -> None:
    assert is_own_place(path)


@pytest.mark.parametrize(
    "path", ["/", "/opt", "/opt/java/openjdk", "/usr/lib", "/home/app", "/tmp", "/deployments", "/etc/app"]
)
def test_places_that_images_use(path: str) -> None:
    assert not is_own_place(path)
