"""The CPU engine: transposed convolution through kernels generated for the shape and the processor at hand."""
