"""The variants, in one registry. What is registered can be asked for by name, is tested, and is measured."""

from __future__ import annotations

from tconv.jax.variants.base import Variant
from tconv.jax.variants.columns import COLUMNS
from tconv.jax.variants.dense import BLOCKS, PHASES, STACKED
from tconv.jax.variants.native import NATIVE
from tconv.jax.variants.taps import TAPS

VARIANTS: dict[str, Variant] = {variant.name: variant for variant in (NATIVE, STACKED, BLOCKS, PHASES, COLUMNS, TAPS)}

__all__ = ["VARIANTS", "Variant"]
