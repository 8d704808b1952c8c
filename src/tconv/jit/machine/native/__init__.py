"""A subset of Python that runs as machine code: the language, its translation to IR, and what compiles and calls it."""
