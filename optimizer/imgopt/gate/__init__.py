"""The gate: images against budgets, and against what they were."""
