"""A convolution, and the normalization and activation behind it, computed in one call of the engine."""
