"""JUnit's XML as Jenkins reads it: a suite for each image or Dockerfile, a case for each budget or rule."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from imgopt.light.patterns import regex
from imgopt.report.layout import visible
from imgopt.report.remarks import Checked, Remark, Remarks

#: XML 1.0 has no way to write these.
_NO_XML = regex("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def rendered(remarks: Remarks) -> bytes:
    """A remark that decides the exit code is a failure, what could not be measured an error, any other a passed case
    with its text as output. Caveats are no cases: they are the output of their suite."""
    suites = [_suite(each, remarks.command) for each in remarks.checked]
    tests = sum(len(_cases(each)) for each in remarks.checked)
    failures = sum(_failures(each) for each in remarks.checked)
    errors = sum(_broken(each) for each in remarks.checked)
    head = f'<testsuites name="imgopt {remarks.command}" tests="{tests}" failures="{failures}" errors="{errors}">'
    return (
        "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *suites, "</testsuites>"]) + "\n"
    ).encode()


def _cases(checked: Checked) -> list[tuple[str, list[Remark]]]:
    remarks = [each for each in checked.remarks if not each.caveat]
    names = dict.fromkeys((*checked.names, *(each.name for each in remarks)))
    return [(name, [each for each in remarks if each.name == name]) for name in names]


def _failures(checked: Checked) -> int:
    return sum(any(each.fails and not each.broken for each in found) for _, found in _cases(checked))


def _broken(checked: Checked) -> int:
    return sum(any(each.broken for each in found) for _, found in _cases(checked))


def _suite(checked: Checked, command: str) -> str:
    cases = _cases(checked)
    head = (
        f'  <testsuite name={_attribute(f"imgopt {command}: {checked.group}")} tests="{len(cases)}" '
        f'failures="{_failures(checked)}" errors="{_broken(checked)}" skipped="0">'
    )
    # Jenkins makes packages of dots, and a name with dots in it would be cut into some
    where = checked.group.replace(".", "_")
    caveats = [line for each in checked.remarks if each.caveat for line in (each.message, *each.details)]
    output = [f"    <system-out>{_text(chr(10).join(caveats))}</system-out>"] if caveats else []
    return "\n".join([head, *(_case(name, found, where) for name, found in cases), *output, "  </testsuite>"])


def _case(name: str, found: list[Remark], where: str) -> str:
    head = f'    <testcase name={_attribute(name)} classname={_attribute(f"imgopt.{where}")} time="0"'
    if not found:
        return f"{head}/>"
    lines = []
    for each in found:
        body = _text("\n".join((_place(each), *each.details)))
        if each.broken:
            lines.append(
                f'      <error type="not-measured" message={_attribute(each.message)}>{body}</error>'
            )
        elif each.fails:
            lines.append(
                f"      <failure type={_attribute(name)} message={_attribute(each.message)}>{body}</failure>"
            )
        else:
            lines.append(f"      <system-out>{_text(each.message)}\n{body}</system-out>")
    return "\n".join([f"{head}>", *lines, "    </testcase>"])


def _place(remark: Remark) -> str:
    return f"{remark.path}:{remark.line}" if remark.line else remark.path


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", "\n".join(visible(line) for line in text.split("\n")))


def _text(text: str) -> str:
    return escape(_clean(text))


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))
