"""The table of large kernels."""

from __future__ import annotations

from benchmarks.pages.markdown import table
from benchmarks.record import Record

WAYS = ("fft", "other", "fftconvolve", "oaconvolve")


def kernels(record: Record) -> list[str]:
    """Each way on each case, and `fft` over the better one of SciPy's."""
    rows = []
    for row in record.rows:
        ms = row["ms"]
        ratio = min(ms["fftconvolve"], ms["oaconvolve"]) / ms["fft"]
        rows.append([row["case"], *(f"{ms[name]:.2f}" for name in WAYS), row["other"], f"{ratio:.2f}"])
    columns = ["fft ms", "other ms", "fftconvolve ms", "oaconvolve ms", "other is", "SciPy's best / fft"]
    return table(["case", *columns], rows, words=["other is"])
