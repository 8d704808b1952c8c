"""Ways to cut a problem into what kernels do: what they share, a folder for each family, and one registry."""
