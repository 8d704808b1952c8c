"""The tables that kernels read, and how work is cut for threads."""
