"""What a processor can do, and machine code for it: IR, objects, cache, loading, threads. Knows no convolution."""
