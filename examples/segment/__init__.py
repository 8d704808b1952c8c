"""Pixel-by-pixel classification: a fully convolutional network that finds handwritten digits in photographs."""
