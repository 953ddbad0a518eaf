"""Rendering: every format turns the same `imgopt.result.Report` into its own bytes; formatting lives only here."""
