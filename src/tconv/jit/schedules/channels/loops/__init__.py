"""The loops that write tables with channels in lanes."""
