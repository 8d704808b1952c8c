"""The pages of `docs/performance/`, written from `benchmarks/results/`: records, and a text for each page.

`python -m benchmarks.pages` writes them; nothing is measured here, and no framework loaded.
"""
