"""The version of tconv, where everything may ask for it: what keeps machine code has it in its keys."""

__version__ = "0.1.0"
