"""How the fixes of several rules go into one text."""

from __future__ import annotations

from imgopt.dockerfile import Edit, Span, parse
from imgopt.finding import Finding, Fix
from imgopt.scales import Applicability, Severity
from imgopt.suggest.rewrite import CONTRADICTS, rewrite

TEXT = b"""FROM eclipse-temurin:21-jre
COPY app.jar /app/app.jar
RUN chown 1000:1000 /app/app.jar
RUN chown 1000:1000 /app/app.jar
CMD ["java", "-jar", "/app/app.jar"]
"""
DOCUMENT = parse(TEXT)
COPY, FIRST, SECOND, _ = DOCUMENT.stages[0].instructions


def finding(rule: str, *edits: Edit) -> Finding:
    return Finding(rule, Severity.LOW, 1, 1, "message", Fix("description", Applicability.SAFE, edits))


def owner(value: str) -> Edit:
    end = COPY.keyword_span.end
    return Edit(Span(end, end), f" --chown={value}")


def without(number: int) -> Edit:
    span = DOCUMENT.instructions[number].span
    return Edit(Span(span.start, span.end + 1), "")


def test_equal_edits_of_two_rules_are_made_once_and_both_fixes_count() -> None:
    found = rewrite(
        DOCUMENT,
        [
            finding("recursive-chown", owner("1000:1000"), without(FIRST.number)),
            finding("jar-stored-twice", owner("1000:1000"), without(SECOND.number)),
        ],
    )
    assert found.text.splitlines()[1:] == [
        "COPY --chown=1000:1000 app.jar /app/app.jar",
        'CMD ["java", "-jar", "/app/app.jar"]',
    ]
    assert found.applied == ("recursive-chown", "jar-stored-twice")
    assert found.not_applied == ()


def test_a_fix_that_changes_a_place_in_another_way_waits_as_a_whole() -> None:
    found = rewrite(
        DOCUMENT,
        [
            finding(
                "recursive-chown", Edit(COPY.span, "COPY --chown=1 app.jar /app/"), without(FIRST.number)
            ),
            finding("jar-stored-twice", Edit(COPY.span, "COPY app.jar /srv/"), without(SECOND.number)),
        ],
    )
    assert "RUN chown 1000:1000 /app/app.jar" in found.text
    assert found.text.count("RUN") == 1
    assert found.applied == ("recursive-chown",)
    assert [(each.rule, each.why) for each in found.not_applied] == [("jar-stored-twice", CONTRADICTS)]


def test_an_instruction_knows_its_place_in_the_document() -> None:
    document = parse(b"ARG V=1\nFROM a:$V AS one\nONBUILD RUN true\nFROM one\nRUN true\nRUN true\n")
    assert [each.number for each in document.instructions] == list(range(6))
    assert [each.number for stage in document.stages for each in (stage.from_, *stage.instructions)] == [
        1, 2, 3, 4, 5,
    ]  # fmt: skip
    trigger = document.instructions[2].trigger
    assert trigger is not None
    assert trigger.number == 2
