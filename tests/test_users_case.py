"""The platform this tool was made for: 13 modules of 200 MB each, a registry that takes 0.5 to 1 MB/s."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from boot_jar import boot_jar, library

from imgopt.examine import report_on
from imgopt.options import Options
from imgopt.report import json as json_report
from imgopt_rules import ALL_RULES

MODULES = 13
DOCKERFILE = """\
FROM eclipse-temurin:17-jdk-alpine
WORKDIR /app
COPY target/service.jar app.jar
ENTRYPOINT ["java", "-jar", "app.jar"]
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("platform")
    jar = root / "service.jar"
    # the base is 170.3 MB in the catalogue: with this jar an image is 200 MB
    boot_jar(jar, libraries={f"library-{n}-1.0.jar": library(size=990_000, seed=n) for n in range(30)})
    for number in range(MODULES):
        module = root / f"module-{number:02}"
        (module / "target").mkdir(parents=True)
        os.link(jar, module / "target" / "service.jar")
        (module / "Dockerfile").write_text(DOCKERFILE)
    return root


def test_thirteen_modules(platform: Path) -> None:
    report = report_on([str(platform)], Options(bandwidths=(500_000, 1_000_000)), rules=ALL_RULES)
    assert not report.errors
    answer = json.loads(json_report.rendered(json_report.suggestions(report)))
    files = answer["files"]
    assert len(files) == MODULES

    slow, fast = (
        sum(file["prediction"]["push"][n]["first_push_s"]["before"] for file in files) for n in (0, 1)
    )
    for file in files:
        push = file["prediction"]["push"]
        assert push[0]["bandwidth_bytes_per_s"] == 500_000
        assert push[0]["first_push_s"]["before"] == pytest.approx(400, rel=0.01)
        assert push[1]["first_push_s"]["before"] == pytest.approx(200, rel=0.01)
    assert slow / 60 == pytest.approx(87, abs=1)
    assert fast / 60 == pytest.approx(43, abs=1)

    for file in files:
        assert file["rewrite"]["changed"] is True
        assert "FROM eclipse-temurin:17-jre-alpine\n" in file["rewrite"]["text"]
        prediction = file["prediction"]
        assert prediction["first_push_bytes"]["after"] < 100_000_000
        assert prediction["next_push_bytes"]["before"] > 29_000_000
        assert prediction["next_push_bytes"]["after"] < 10_000, "only the application's own classes travel"
        base = prediction["before"]["layers"][0]
        assert (base["basis"], base["compressed_bytes"]) == ("catalogue", 170_267_846)
        jar_layer = next(layer for layer in prediction["before"]["layers"] if layer["line"] == 3)
        assert jar_layer["basis"] == "measured"
        stays = next(
            layer for layer in prediction["after"]["layers"] if "dependencies" in layer["instruction"]
        )
        assert (stays["changes_each_release"], stays["basis"]) == (False, "measured")


def test_weighed_layers_are_what_gzip_makes_of_them(platform: Path, tmp_path: Path) -> None:
    """The predicted size of the jar's layer against a real tar, compressed by zlib at level 6."""
    import tarfile
    import zlib

    report = report_on([str(platform / "module-00")], Options(), rules=ALL_RULES)
    prediction = report.files[0].prediction
    assert prediction is not None
    predicted = next(layer.compressed_bytes for layer in prediction.before.layers if layer.line == 3)
    tar = tmp_path / "layer.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(platform / "service.jar", "app/app.jar")
    real = len(zlib.compress(tar.read_bytes(), 6))
    assert predicted == pytest.approx(real, rel=0.01)
