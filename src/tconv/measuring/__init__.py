"""How anything is timed against anything else here: in turns (`rounds.py`), and what came of it (`contest.py`).

The benchmark, tuning, and `accelerate` for PyTorch and for ONNX measure by it.
"""
