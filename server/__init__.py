"""The caption server. Importing it never imports torch, transformers or optimum."""

__version__ = "0.1.0"
