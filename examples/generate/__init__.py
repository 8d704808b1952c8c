"""From noise to image: a generator of transposed convolutions that learns to write digits."""
