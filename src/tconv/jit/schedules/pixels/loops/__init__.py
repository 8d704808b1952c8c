"""The loops that write tables with pixels in lanes."""
