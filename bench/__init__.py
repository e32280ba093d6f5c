"""The harness: starts a trainer, times it, checks what it says, and writes results that can be derived again."""

__version__ = "0.1.0"
