"""The libraries that a build file and a local Maven repository foretell, beside those of the archive that Maven made."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import apps
import pytest

from imgopt.java.build_files import read_build_files
from imgopt.java.local_libraries import libraries_of


@pytest.mark.parametrize("spring_boot", ["2.7.18", "3.5.16", "4.1.2"])
def test_maven_packs_what_was_foretold(
    app: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spring_boot: str
) -> None:
    jar = app(spring_boot)
    text = (apps.SOURCE / "web" / "pom.xml").read_text()
    # what a profile adds that Maven activates by a property is not told; here it is the default
    text = re.sub(
        r"<property>\s*<name>!reduced</name>\s*</property>", "<activeByDefault>true</activeByDefault>", text
    )
    text = text.replace("<spring-boot.version>3.5.16", f"<spring-boot.version>{spring_boot}")
    (tmp_path / "pom.xml").write_text(text)
    monkeypatch.setenv("MAVEN_OPTS", f"-Dmaven.repo.local={apps.MAVEN_REPOSITORY}")
    facts = read_build_files(tmp_path, tmp_path)
    assert facts is not None
    found = libraries_of(facts)
    assert found is not None
    assert found.missing == ()
    foretold = {path.name: path.stat().st_size for path in found.jars}
    with zipfile.ZipFile(jar) as archive:
        packed = {
            entry.filename.rpartition("/")[2]: entry.file_size
            for entry in archive.infolist()
            if entry.filename.startswith("BOOT-INF/lib/") and entry.filename.endswith(".jar")
        }
    # the plugin's own jarmode is no dependency of the project
    assert foretold == {name: size for name, size in packed.items() if "jarmode" not in name}
