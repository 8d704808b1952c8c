"""What is the same in every program of a layer: its packed weights, whose orders are numbered."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tconv.geometry import Geometry
from tconv.jit.choice import model
from tconv.jit.machine import isa
from tconv.jit.programs import packing
from tconv.jit.schedules.registry import program_of
from tconv.problem import Problem

pytestmark = pytest.mark.quick


def order(size=(9, 9), dtype="float32", kernel=(3, 3), padding=1):
    """The number of the order that a layer at this size wants its weights in."""
    axes = Geometry.conv_transpose(size, kernel, stride=2, padding=padding)
    problem = Problem("conv_transpose", axes, 1, 16, 16, 1, dtype)
    return program_of(model.by_model(problem, False, isa.ISAS["avx2"]), 1).packing


def test_an_order_has_one_number_at_every_size_and_another_for_other_weights():
    assert order() == order((9, 10)) == order((9, 9))
    assert len({order(), order(dtype="float64"), order(kernel=(3, 4)), order(kernel=(5, 3))}) == 4


def test_orders_of_packing_have_numbers_of_their_own(monkeypatch):
    """Two threads meet where a number is being handed out."""
    together = threading.Barrier(2)

    class Meeting(dict):
        """Where threads meet between looking at the orders that there are and adding one."""

        def __len__(self):
            size = super().__len__()
            together.wait(10)
            return size

        def setdefault(self, order, number):
            together.wait(10)
            return super().setdefault(order, number)

    monkeypatch.setattr(packing, "_numbers", Meeting())
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(packing._number, [b"an order", b"another"])
    assert first != second
    with ThreadPoolExecutor(2) as pool:
        assert {*pool.map(packing._number, [b"an order"] * 2)} == {first}
