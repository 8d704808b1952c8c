"""The loop that writes tables with taps in lanes."""
