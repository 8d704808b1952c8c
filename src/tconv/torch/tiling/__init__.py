"""A network computed tile by tile, as `tconv.torch.tiles` does: exactly, and in the memory that a tile takes."""
