"""The rules, in report order."""

from __future__ import annotations

from imgopt.rule import Rule
from imgopt_rules import (
    broken_layering,
    build_tools,
    fat_jar_layer,
    glibc_runtime,
    installed_jdk,
    jar_stored_twice,
    jdk_runtime,
    package_cache,
    retired_base,
    unstable_layers,
)

ALL_RULES: tuple[Rule, ...] = (
    build_tools.check,
    jdk_runtime.check,
    glibc_runtime.check,
    retired_base.check,
    installed_jdk.check,
    fat_jar_layer.check,
    jar_stored_twice.check,
    broken_layering.check,
    unstable_layers.check,
    package_cache.check,
)
