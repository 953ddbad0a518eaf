"""The rules that look at a CI file, in report order."""

from __future__ import annotations

from imgopt.pipelines.rule import PipelineRule
from imgopt_rules import (
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
)

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
