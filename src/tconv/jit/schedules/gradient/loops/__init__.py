"""The loops that write tables of weight gradients."""
