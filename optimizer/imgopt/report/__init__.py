"""Rendering: every format turns the same `imgopt.suggest.result.Report` into its own bytes; formatting lives only here."""
