"""What kernels and programs mean, in NumPy: every access is checked. For tests and for readers."""
