"""`tconv solve`: which parameters tie two sizes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tconv.cli import options, output
from tconv.cli.errors import Failure, UsageError, usage_errors
from tconv.cli.size import as_dict
from tconv.geometry import joined, padding_text
from tconv.solving import Solution, Solutions
from tconv.solving import solve as solved

Fixed = options.Text


def solve(
    *,
    coarse: options.Coarse = None,
    fine: options.Fine = None,
    scale: Annotated[
        Fixed,
        typer.Option(metavar="S", help="fine = scale * coarse, instead of a size or both; 1.5 or 3/2 with a size."),
    ] = None,
    kernel: Annotated[Fixed, typer.Option(metavar="SIZE", help="Only this kernel.")] = None,
    stride: Annotated[Fixed, typer.Option(metavar="N", help="Only this stride.")] = None,
    padding: Annotated[Fixed, typer.Option(metavar="PAD", help="Only this padding, such as 1, 1x0 or 1:2.")] = None,
    output_padding: Annotated[Fixed, typer.Option(metavar="N", help="Only this output padding.")] = None,
    dilation: Annotated[Fixed, typer.Option(metavar="N", help="This dilation; 1 if left out.")] = None,
    max_kernel: Annotated[Fixed, typer.Option(metavar="N", help="No kernel larger than this.")] = None,
    limit: Annotated[str, typer.Option(metavar="N", help="How many parameter sets to show.")] = "10",
    json: options.Json = False,
) -> None:
    """The parameters that map one size to the other, the best first.

    Even coverage comes first, then smaller kernels, symmetric padding and no output padding. Parameters that you give
    stay as they are. Exit code 1 and the reason where nothing fits.

        tconv solve --coarse 32 --fine 64
        tconv solve --scale 2 --kernel 5
    """
    given: dict[str, Any] = {
        name: (options.scales if name == "scale" else options.sizes)(f"--{name.replace('_', '-')}", text)
        for name, text in (
            ("coarse", coarse),
            ("fine", fine),
            ("scale", scale),
            ("kernel", kernel),
            ("stride", stride),
            ("output_padding", output_padding),
            ("dilation", dilation),
        )
        if text is not None
    }
    tied = [name for name in ("coarse", "fine", "scale") if name in given]
    if len(tied) < 2 and tied != ["scale"]:
        got = f"--{tied[0]} alone" if tied else "none of them"
        raise UsageError(f"two of --coarse, --fine and --scale must be given, or --scale alone; got {got}")
    fixed = {} if padding is None else {"padding": options.padding(padding)}
    largest = options.count("--max-kernel", max_kernel)
    most = options.integer("--limit", limit)
    with usage_errors():
        solutions = solved(**options.on_axes({**given, **fixed}), max_kernel=largest, limit=most)
    if json:
        output.as_json(_as_dict(solutions))
    elif solutions:
        _print(solutions)
    if not solutions:
        raise Failure("" if json else f"{solutions.question}: no parameters fit; {solutions.reason}")


def _as_dict(solutions: Solutions) -> dict[str, Any]:
    return {
        "question": solutions.question,
        "complete": solutions.are_all,
        "reason": solutions.reason,
        "solutions": [
            {**as_dict(solution.geometry), "even": solution.is_even, "coverage": solution.coverage}
            for solution in solutions
        ],
    }


def _print(solutions: Solutions) -> None:
    out = output.console()
    dilation = solutions[0].geometry.dilation  # the one that was given, or 1
    out.print(solutions.question + (f", dilation {joined(dilation)}" if max(dilation) > 1 else ""), soft_wrap=True)
    out.print()
    columns = ["", "kernel", "stride", "padding", "output padding", "coverage"]
    output.table(columns, [_row(place, one) for place, one in enumerate(solutions, 1)], out, right=columns[:-1])
    remarks = _remarks(solutions)
    if remarks:
        out.print()
        output.facts(remarks, out)
    if not solutions.are_all:
        out.print(f"\nthe first {len(solutions)}; more with --limit", style="dim")


def _row(place: int, solution: Solution) -> list[str]:
    g = solution.geometry
    numbers = [joined(g.kernel), joined(g.stride), padding_text(g.padding), joined(g.output_padding)]
    return [str(place), *numbers, _in_short(solution)]


def _in_short(solution: Solution) -> str:
    return solution.coverage.partition(";")[0] if solution.is_even else "uneven"


def _remarks(solutions: Solutions) -> list[tuple[str, str]]:
    """What the table had no room for: the places in it, and what is to be said of their coverage."""
    places: dict[str, list[str]] = {}
    for place, solution in enumerate(solutions, 1):
        if solution.coverage != _in_short(solution):
            places.setdefault(solution.coverage, []).append(str(place))
    return [(_listed(numbers), coverage) for coverage, numbers in places.items()]


def _listed(numbers: list[str]) -> str:
    return ", ".join(numbers) if len(numbers) < 6 else f"{numbers[0]} ... {numbers[-1]}"
