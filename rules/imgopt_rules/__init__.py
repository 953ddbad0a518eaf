"""The rules, in report order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgopt.rule import Documented, Rule
from imgopt_rules import (
    archive_kept,
    broken_layering,
    build_tools,
    deleted_later,
    developer_files,
    fat_jar_layer,
    glibc_runtime,
    installed_jdk,
    jar_stored_twice,
    jdk_runtime,
    layer_order,
    package_cache,
    recommended_packages,
    recursive_chown,
    retired_base,
    unstable_layers,
    unused_context,
    whole_context,
)

if TYPE_CHECKING:
    from imgopt.pipelines.rule import PipelineRule

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
    recommended_packages.check,
    archive_kept.check,
    developer_files.check,
    recursive_chown.check,
    layer_order.check,
    deleted_later.check,
    whole_context.check,
    unused_context.check,
)

#: Those that look at a CI file; and all. They are loaded when they are asked for: most runs see no CI file.
PIPELINE_RULES: tuple[PipelineRule, ...]
EVERY_RULE: tuple[Documented, ...]


def pipeline_rules() -> tuple[PipelineRule, ...]:
    from imgopt_rules import of_ci_files

    return of_ci_files.PIPELINE_RULES


def __getattr__(name: str) -> tuple[Documented, ...]:
    if name == "PIPELINE_RULES":
        return pipeline_rules()
    if name == "EVERY_RULE":
        return (*ALL_RULES, *pipeline_rules())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
