"""Cells that a chunk reads along an axis, as loops number them, against the definition of its taps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import axes

import tconv
from tconv.jit.programs.loops.rows import cell, cells, is_read, list_taps_of, of_phase, tap_reads
from tconv.jit.programs.loops.words import MET, AxisWords, Met
from tconv.jit.schedules.arrays import Collector, words_of
from tconv.jit.schedules.axes import by_shift, phase_taps, residues
from tconv.jit.schedules.layouts import spread_out
from tconv.problem import OPERATIONS, Problem

pytestmark = pytest.mark.quick
operations = st.sampled_from(OPERATIONS)


def arrays(axis, operation):
    """An axis as the engine and as loops see it, and the lists of these; a row of the panel is one byte."""
    line = spread_out(Problem(operation, tconv.Geometry([axis]), 2, 3, 5, 1, "float32"), False).axes[-1]
    collector = Collector()
    axis = np.array(collector.axis(line, 0), np.int64)
    axis[: AxisWords.PARTS] = words_of(line, 0, line.span())
    axis[AxisWords.ROW_STEP] = 1
    return line, axis, np.array(collector.values, np.int64)


@given(axes(), operations, st.integers(0, 5), st.integers(1, 4))
def test_cells_of_a_chunk_are_all_that_its_taps_read(axis, operation, start, count):
    line, axis, lists = arrays(axis, operation)
    axis[AxisWords.Q], axis[AxisWords.Q_END] = start, start + count
    found = [cell(axis, lists, start, start + count, n) for n in range(cells(axis, start, start + count))]
    assert len(set(found)) == len(found)
    for shift in by_shift(line):
        first = tap_reads(axis, shift, residues(line).index(shift % line.read_stride), 0)
        # What neighbouring q read lies side by side.
        read = [(start + n) * line.read_stride + shift for n in range(count)]
        assert found[first : first + count] == read
        assert [bool(is_read(axis, shift, start + n)) for n in range(count)] == [0 <= c < line.read for c in read]


@given(axes(), operations)
def test_taps_of_a_phase_are_listed_where_they_read(axis, operation):
    line, axis, lists = arrays(axis, operation)
    axis[AxisWords.Q], axis[AxisWords.Q_END] = line.span().start, line.span().stop
    met = np.zeros(Met.FIRST + MET * line.kernel, np.int64)
    for b, taps in enumerate(phase_taps(line)):
        axis[AxisWords.PHASE] = b
        of_phase(axis)
        assert range(axis[AxisWords.FROM], axis[AxisWords.TO]) == line.of_phase(b, line.span()) or not line.of_phase(
            b, line.span()
        )
        for q in line.span():
            end = list_taps_of(axis, lists, met, int(Met.FIRST), q, 0, 0)
            listed = met[Met.FIRST : end].reshape(-1, MET)
            found = [(tap, shift) for tap, shift in taps if 0 <= q * line.read_stride + shift < line.read]
            assert listed[:, [Met.TAP, Met.SHIFT]].tolist() == [list(pair) for pair in found]
