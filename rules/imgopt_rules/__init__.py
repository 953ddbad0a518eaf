"""The rules, in report order."""

from __future__ import annotations

from imgopt.pipelines.rule import PipelineRule
from imgopt.rule import Documented, Rule
from imgopt_rules import (
    archive_kept,
    broken_layering,
    build_tools,
    ci_archived_kaniko,
    ci_cache_on_slow_link,
    ci_fresh_agent_push,
    ci_kaniko_timestamps,
    ci_large_blob,
    ci_parallel_pushes,
    ci_push_timeout,
    ci_push_without_retry,
    ci_refused_attestation,
    ci_reused_kaniko,
    ci_single_snapshot,
    ci_uncached_build,
    ci_uncompressed_push,
    ci_unlayered_build,
    ci_unused_stages,
    ci_zstd_layers,
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

#: Those that look at a CI file.
PIPELINE_RULES: tuple[PipelineRule, ...] = (
    ci_push_timeout.check,
    ci_refused_attestation.check,
    ci_parallel_pushes.check,
    ci_reused_kaniko.check,
    ci_fresh_agent_push.check,
    ci_uncompressed_push.check,
    ci_kaniko_timestamps.check,
    ci_single_snapshot.check,
    ci_unlayered_build.check,
    ci_zstd_layers.check,
    ci_large_blob.check,
    ci_archived_kaniko.check,
    ci_push_without_retry.check,
    ci_cache_on_slow_link.check,
    ci_uncached_build.check,
    ci_unused_stages.check,
)

EVERY_RULE: tuple[Documented, ...] = (*ALL_RULES, *PIPELINE_RULES)
