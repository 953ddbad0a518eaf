from __future__ import annotations

from pathlib import Path

import pytest

from imgopt.java import sources
from imgopt.java.sources import is_code, reads_its_project

NAMES = {"src", "target", "build", "pom.xml", "web"}


def look(tmp_path: Path, text: str, name: str = "src/main/java/App.java") -> str | None:
    path = tmp_path / "file"
    path.write_text(text)
    return reads_its_project([(name, path)], ["/app"], NAMES)


@pytest.mark.parametrize(
    "text",
    [
        'new File("src/main/resources/words.txt")',
        r'Paths.get("C:\\work\\src\\main\\resources")',
        'System.getProperty("user.dir")',
        'new FileReader("pom.xml")',
        'new File("./target/report.pdf")',
        'new FileSystemResource("file:web/dist/index.html")',
        'Path.of("/app/web/dist")',
        'new File(".").listFiles()',
        'Paths.get("")',
        'String base = "./" + name;',
        'new ProcessBuilder("git")',
        'Runtime.getRuntime().exec("mvn")',
    ],
)
def test_code_that_reads_its_project(tmp_path: Path, text: str) -> None:
    assert look(tmp_path, text) is not None


@pytest.mark.parametrize(
    "text",
    [
        'new ClassPathResource("data/words.txt")',
        '@GetMapping("/target/{id}")',
        'builder.append("build").append("target")',
        'String path = "/var/app/web/";',
        "int half = target/2; // build/2",
        'String url = "https://example.com/src/main.js";',
        'new File("data/users.csv")',
        'executor.execute(task); statement.execute("select 1");',
        "Runtime.getRuntime().availableProcessors()",
    ],
)
def test_code_that_does_not(tmp_path: Path, text: str) -> None:
    assert look(tmp_path, text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("spring.web.resources.static-locations=file:web/dist/\n", True),
        ("logging:\n  file:\n    name: target/app.log\n", True),
        ("<file>./build/app.log</file>", True),
        ("info.build: ${project.build}\n", False),
        ("path: /web/dist\n", False),
        ("spring.sql.init.schema-locations=classpath:schema.sql\n", False),
    ],
)
def test_settings(tmp_path: Path, text: str, found: bool) -> None:
    assert (look(tmp_path, text, "src/main/resources/application.yml") is not None) is found


def test_tests_and_other_files_do_not_count(tmp_path: Path) -> None:
    text = 'new File("src/test/resources/x")'
    assert look(tmp_path, text, "src/test/java/AppTest.java") is None
    assert look(tmp_path, text, "src/main/resources/static/app.js") is None
    assert not is_code("src/test/java/AppTest.java")
    assert is_code("service/src/main/kotlin/App.kt")


def test_what_is_too_much_to_look_through_counts_as_a_mention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("class App {}")
    files = [(f"src/main/java/App{number}.java", path) for number in range(4)]
    assert reads_its_project(files, ["/app"], NAMES) is None
    monkeypatch.setattr(sources, "MOST_FILES", 3)
    assert reads_its_project(files, ["/app"], NAMES) == "there are more sources than are looked through"


def test_data_is_no_settings(tmp_path: Path) -> None:
    path = tmp_path / "data.xml"
    path.write_text("<path>src/main/resources</path>" + " " * sources._MOST_BYTES_OF_SETTINGS)
    assert reads_its_project([("src/main/resources/data.xml", path)], ["/app"], NAMES) is None


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    found = reads_its_project([("src/main/java/App.java", tmp_path / "none")], ["/app"], NAMES)
    assert found == "src/main/java/App.java cannot be read"
