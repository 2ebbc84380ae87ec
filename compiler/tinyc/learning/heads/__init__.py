"""The heads: one module per kind holds its twin, `design` what they share."""

from tinyc.learning.heads.design import Head, HeadDesign, StateField

__all__ = ["Head", "HeadDesign", "StateField"]
