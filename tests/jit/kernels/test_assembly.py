"""The machine code of kernels: the instructions that a processor has, sums in registers, no calls out of the code."""

import re
from dataclasses import replace
from functools import lru_cache

import pytest
from registry import needs_kernels
from running import problem_of

import tconv
from tconv.bench.layers import public
from tconv.jit.choice import model
from tconv.jit.kernels import linking
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.macro_kernel import MacroKernel
from tconv.jit.kernels.pack_on_the_fly import PackOnTheFly
from tconv.jit.kernels.pixels import Pixels
from tconv.jit.kernels.planes import Planes
from tconv.jit.machine import isa
from tconv.jit.schedules import layouts
from tconv.jit.schedules.channels import sizes as channels_sizes
from tconv.jit.schedules.pixels import planes as depthwise
from tconv.jit.schedules.pixels import sizes as pixels
from tconv.jit.schedules.taps import schedule as taps
from tconv.problem import OPERATIONS

pytestmark = needs_kernels

#: A vector multiply-add of each set of instructions, in assembly, and any other kind of multiply-add.
MULTIPLY_ADDS = {
    "avx512": r"vfn?madd\d+p[sd]\t.*%zmm",
    "avx2": r"vfn?madd\d+p[sd]\t.*%ymm",
    "baseline": r"mulp[sd]\t.*%xmm",
    "neon": r"fml[as]\tv\d+\.(4s|2d)",
}
FUSED = r"(vfn?m(add|sub)|fml[as]|fn?madd|fn?msub)"
#: A vector register of AVX-512 stored on the stack.
SPILL = r"vmov\w+\t%zmm\d+, -?\d*\(%rsp\)"


assembly = lru_cache(maxsize=None)(linking.assembly)


@lru_cache(maxsize=8)
def assembled(target, dtype="float32"):
    """By kind the code of a schedule, for a set of instructions, and the text of each of its parts."""
    target = isa.ISAS[target]
    return {kind: texts(s.code, target) for kind, s in schedules(target, dtype).items()}


def texts(code, target):
    """The machine code of what is compiled for a schedule."""
    return {part: assembly(part, target) for part in code.parts}


def schedules(target, dtype):
    """One of each kind, of sizes that fill registers."""
    up, made = tconv.Geometry.conv_transpose, {}
    wide = problem_of(up((8, 9), 4, stride=2, padding=1), dtype, cin=64, cout=96)
    thin = problem_of(up((64, 64), 4, stride=2, padding=1), dtype, cin=16, cout=8)
    deep = problem_of(up((64, 64), 4, stride=2, padding=1), dtype, cin=8, cout=8, groups=8)
    long = problem_of(up(64, 16, stride=8, padding=4), dtype, cin=64, cout=64)
    for last in (False, True):
        layout = layouts.layout_of(wide, last)
        made[f"channels, {last=}"] = channels_sizes.make(wide, layout, target, "channels")
        made[f"phases, {last=}"] = channels_sizes.make(long, layouts.layout_of(long, last), target, "phases")
    made["depthwise"] = channels_sizes.make(deep, layouts.layout_of(deep, True), target, "channels", depthwise=True)
    made["taps"] = taps.make(wide, layouts.layout_of(wide, False), target)
    few = problem_of(up((64, 64), (2, 3), stride=(1, 2)), dtype, cin=24, cout=24, groups=24)
    made["depthwise, cells"] = channels_sizes.make(
        few, layouts.layout_of(few, True), target, "channels", depthwise=True
    )
    made["pixels"] = pixels.make(thin, layouts.layout_of(thin, False), target)
    made["planes"] = depthwise.make(deep, layouts.layout_of(deep, False), target)
    down = replace(thin, operation="conv")
    made["pixels, conv"] = pixels.make(down, layouts.layout_of(down, False), target)
    return made


def every_text(target):
    """Of all of these schedules, each once."""
    return {part: text for parts in assembled(target).values() for part, text in parts.items()}.values()


def functions(text):
    """The instructions of every function, labels included."""
    found, body = {}, []
    for line in text.splitlines():
        if label := re.match(r"([A-Za-z_]\w*):", line):
            body = found.setdefault(label[1], [])
        elif line.strip() and not line.lstrip().startswith((".", "#", "//")):
            body.append(line.strip())
        elif re.match(r"\.\w+:", line):
            body.append(line.split(":")[0] + ":")
    return found


def computing(parts):
    """The functions that multiply, with their kernels."""
    return [
        (kernel, functions(text)["kernel"])
        for kernel, text in parts.items()
        if isinstance(kernel, Channels | Pixels | Planes)
    ]


def innermost_loops(body):
    """The instructions from a label to a jump back to it, without another label between them."""
    for start, line in enumerate(body):
        if not line.endswith(":"):
            continue
        label = line[:-1]
        for end in range(start + 1, len(body)):
            if body[end].endswith(":"):
                break
            if re.search(rf"[\s,]{re.escape(label)}$", body[end]):
                yield body[start + 1 : end + 1]
                break


def straight(body):
    """The instructions between two labels."""
    found = [[]]
    for line in body:
        if line.endswith(":"):
            found.append([])
        else:
            found[-1].append(line)
    return found


def multiply_adds(kernel):
    """How many one iteration of the innermost loop of a kernel makes."""
    if isinstance(kernel, Channels):
        return kernel.rows * kernel.pixels * kernel.vectors
    if isinstance(kernel, Pixels):
        return max(kernel.weights) * kernel.vectors
    return sum(len(fed) for source in kernel.sources for _, fed in source) * kernel.vectors


def count(pattern, body):
    return sum(bool(re.search(pattern, line)) for line in body)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", isa.ISAS)
def test_kernels_multiply_vectors_in_their_innermost_loop_and_call_nothing(target, dtype):
    for kind, parts in assembled(target, dtype).items():
        assert computing(parts)
        for kernel, body in computing(parts):
            wanted = multiply_adds(kernel)
            # The loop of planes holds branches, for rows that are not written; the one over taps of "depthwise" too.
            parts = {"planes": [body], "depthwise": straight(body)}.get(kind, innermost_loops(body))
            assert max(count(MULTIPLY_ADDS[target], part) for part in parts) == wanted, kind
            assert not count(r"^(call\w*|bl|blr)\s", body), kind


@pytest.mark.parametrize("target", isa.ISAS)
def test_code_calls_only_itself_and_through_pointers(target):
    """To kernels and to what starts threads: the macro-kernel, and what packs weights."""
    for parts in assembled(target).values():
        for part, text in parts.items():
            found = functions(text)
            called = [re.match(r"(?:callq?|blr?)\s+(\S+)", line) for body in found.values() for line in body]
            outside = [match[1] for match in called if match and match[1] not in found]
            wanted = {MacroKernel: 4, PackOnTheFly: 1}.get(type(part), 0)
            assert len(outside) == wanted, part
            assert all(re.fullmatch(r"\*.*|x\d+", call) for call in outside)


def test_the_baseline_fuses_nothing_and_has_no_wide_vectors():
    for text in every_text("baseline"):
        assert not re.search(FUSED, text)
        assert not re.search(r"%[yz]mm", text)


def test_avx2_has_no_wider_vectors():
    for text in every_text("avx2"):
        assert "%zmm" not in text


def test_products_are_fused_where_there_is_an_instruction():
    for target in ("avx512", "avx2", "neon"):
        schedule = schedules(isa.ISAS[target], "float32")["pixels"]
        assert re.search(FUSED, "".join(texts(schedule.code, isa.ISAS[target]).values()))


LAYERS = ["dcgan.2", "dcgan.5", "unet.up4", "fsrcnn.x3", "istft", "hifigan.up1", "centernet.dw", "vnet3d.k3"]


@pytest.mark.parametrize("channels_last", [False, True], ids=["channels_first", "channels_last"])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", LAYERS)
def test_sums_stay_in_registers(name, operation, channels_last):
    """With AVX-512, whose masks store parts of vectors without the stack: no vector goes there at all."""
    layer, target = public()[name], isa.ISAS["avx512"]
    sizes = {"batch": layer.batch, "cin": layer.in_channels, "cout": layer.out_channels, "groups": layer.groups}
    problem = problem_of(layer.geometry, **sizes, operation=operation)
    schedule = model.by_model(problem, channels_last, target)
    for kernel, body in computing(texts(schedule.code, target)):
        assert count(MULTIPLY_ADDS["avx512"], body) >= multiply_adds(kernel)
        assert count(SPILL, body) == 0


def test_a_spill_would_be_seen():
    """More sums than there are registers."""
    target = isa.ISAS["avx512"]
    problem = problem_of(tconv.Geometry.conv_transpose((8, 64), 3, padding=1), cin=64, cout=96)
    schedule = channels_sizes.make(problem, layouts.layout_of(problem, False), target, "channels")
    object.__setattr__(schedule, "pixels", 24)
    object.__setattr__(schedule, "vectors", 3)
    assert any(count(SPILL, body) for _, body in computing(texts(schedule.code, target)))
