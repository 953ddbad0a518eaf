"""Sizes, rates and times as people write and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgopt.bandwidths import DEFAULT_PROFILE, PROFILES, bandwidth
from imgopt.errors import UsageError
from imgopt.units import Scale, duration, megabytes, parse_rates, parse_size, rate, size_scale, time_scale


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("0.5MB/s", (500_000,)),
        ("8Mbit/s", (1_000_000,)),
        ("100mbit", (12_500_000,)),
        ("1Gbit/s", (125_000_000,)),
        ("8Mbps", (1_000_000,)),
        ("8mbps", (1_000_000,)),
        ("1MBps", (1_000_000,)),
        ("2MiB/s", (2_097_152,)),
        ("10 MB/s", (10_000_000,)),
        ("500kB/s", (500_000,)),
        ("0.5-1MB/s", (500_000, 1_000_000)),
        ("0.5 - 1 MB/s", (500_000, 1_000_000)),
        ("500kB/s-1MB/s", (500_000, 1_000_000)),
        ("4-8Mbit/s", (500_000, 1_000_000)),
        ("1-1MB/s", (1_000_000,)),
        ("0.3MB/s", (300_000,)),  # 0.3 has no exact binary fraction
    ],
)
def test_rates(text: str, rates: tuple[int, ...]) -> None:
    assert parse_rates(text) == rates


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not a rate"),
        ("5", "no unit"),
        ("1MB/s-", "not a rate"),
        ("-1MB/s", "not a rate"),
        ("1e9MB/s", "not a rate"),
        ("1,5MB/s", "not a rate"),
        ("8Mb/s", "not clear"),  # bits or bytes?
        ("1mb/s", "not clear"),
        ("5m", "not clear"),
        ("1MB/h", "not a rate"),
        ("1-0.5MB/s", "starts above its end"),
        ("0MB/s", "nothing is pushed at"),
        ("0.0000001MB/s", "nothing is pushed at"),
        ("9999999TB/s", "nothing is pushed at"),
        ("9" * 5000 + "MB/s", "not a rate"),
    ],
)
def test_what_is_no_rate(text: str, what: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_rates(text)
    assert what in error.value.message
    assert error.value.hint


def test_sizes() -> None:
    assert parse_size("200MB") == 200_000_000
    assert parse_size("200MiB") == 209_715_200
    assert parse_size("1.5 GiB") == 1_610_612_736
    assert parse_size("0.1GB") == 100_000_000
    for text in ("200", "200MB/s", "200Mbit", "many", "200mb", "-1MB"):
        with pytest.raises(UsageError):
            parse_size(text)


@given(st.integers(1, 10**9), st.sampled_from([("kB", 1000), ("MB", 10**6), ("KiB", 1024), ("B", 1)]))
def test_whole_numbers_are_exact(count: int, unit: tuple[str, int]) -> None:
    assert parse_size(f"{count}{unit[0]}") == count * unit[1]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 MB"),
        (1, "<0.001 MB"),
        (5_803, "0.006 MB"),
        (999_999, "1.000 MB"),
        (3_620_000, "3.62 MB"),
        (65_573_558, "65.6 MB"),
        (999_949_999, "999.9 MB"),
        (999_950_000, "1.00 GB"),
        (2_600_000_000, "2.60 GB"),
        (-313_000, "-0.313 MB"),
    ],
)
def test_bytes_are_told_in_mb_and_gb(count: int, text: str) -> None:
    assert megabytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.012, "<0.1 s"),
        (5, "5.0 s"),
        (9.96, "10 s"),
        (95.4, "95 s"),
        (119.6, "2 min"),
        (400, "6 min 40 s"),
        (599.7, "10 min"),
        (2600, "43 min"),
        (3569, "59 min"),
        (3570, "1 h"),
        (5200, "1 h 27 min"),
        (10_799, "3 h"),
        (12_000, "3 h 20 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.floats(0, 10**7))
def test_a_longer_time_never_reads_shorter(seconds: float) -> None:
    def back(text: str) -> float:
        parts = text.removeprefix("<").split()
        factors = {"h": 3600, "min": 60, "s": 1}
        return sum(
            float(number) * factors[unit] for number, unit in zip(parts[::2], parts[1::2], strict=True)
        )

    assert back(duration(seconds)) == pytest.approx(seconds, rel=0.06, abs=0.1)


def test_rates_are_told_without_needless_zeros() -> None:
    assert rate(500_000) == "0.5 MB/s"
    assert rate(12_500_000) == "12.5 MB/s"
    assert rate(10_000_000) == "10 MB/s"


def test_profiles() -> None:
    assert bandwidth("aliyun-personal") == ((500_000, 1_000_000), PROFILES[0])
    assert bandwidth("Aliyun-Enterprise")[0] == (10_000_000, 50_000_000)
    assert bandwidth("8Mbit/s") == ((1_000_000,), None)
    assert DEFAULT_PROFILE.rates == (500_000, 1_000_000)
    assert all(profile.source for profile in PROFILES)
    with pytest.raises(UsageError) as error:
        bandwidth("aliyun")
    assert error.value.hint == "did you mean aliyun-personal?"


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_row_of_bytes_closes(before: int, after: int) -> None:
    closes(size_scale(before, after), before, after)


@given(st.floats(0, 10**6), st.floats(0, 10**6))
def test_a_row_of_times_closes(before: float, after: float) -> None:
    closes(time_scale(before, after), before, after)


def closes(scale: Scale, before: float, after: float) -> None:
    """As it is read: what stands there can be subtracted, in one unit."""
    shown = [scale.say(before), scale.say(after), scale.less(before, after)]
    assert {text.split()[1] for text in shown} == {scale.unit}
    numbers = [0.0 if text.startswith("<") else float(text.split()[0]) for text in shown]
    assert numbers[0] - numbers[1] == pytest.approx(numbers[2], abs=10**-scale.decimals / 100)


def test_units_of_a_row() -> None:
    minutes = time_scale(780, 344)
    assert [minutes.say(780), minutes.say(344), minutes.less(780, 344)] == ["13.0 min", "5.7 min", "7.3 min"]
    assert time_scale(4000).say(4000) == "1.1 h"
    assert size_scale(999_960_000, 10).say(10) == "<0.01 GB"
