"""The commands by name: where each is, and what the list of commands says of it. None is imported before it is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

#: By name, the module with a function of this name, and a line for the list.
COMMANDS = {
    "size": ("tconv.cli.size", "The size of the other grid, and every size that shares it."),
    "explain": ("tconv.cli.explain", "All there is to say about a layer, and its dialects."),
    "chain": ("tconv.cli.chain", "Layers one after the other, and what a box needs."),
    "draw": ("tconv.cli.pictures", "A picture of a geometry."),
    "animate": ("tconv.cli.pictures", "The steps of such a picture, one after the other."),
    "explore": ("tconv.cli.explore", "The interactive page, in a browser or in a file."),
    "solve": ("tconv.cli.solve", "The parameters that map one size to the other."),
    "convert": ("tconv.cli.convert", "A layer of one framework in another, or its weights."),
    "upsample": ("tconv.cli.upsample", "A photograph, enlarged."),
    "demo": ("tconv.cli.demo", "Every method on a photograph, in numbers and a figure."),
    "inspect": ("tconv.cli.inspect", "The transposed convolutions of an ONNX model."),
    "accelerate": ("tconv.cli.accelerate", "An ONNX model made faster, as measured here."),
    "cache": ("tconv.cli.cache", "The compiled kernels that are kept on disk."),
    "machine": ("tconv.cli.machine", "What this processor can do, measured and kept."),
    "bench": ("tconv.cli.bench", "How fast tconv is, beside other libraries."),
}
#: Help is plain text: it is there sooner, and can be copied.
SETTINGS: dict[str, Any] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 100},
}


class Command(TyperCommand):
    """One command, whose help says what to write and no types of Python."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Arguments under the names that the help below has, in brackets where they may be left out."""
        arguments = [param for param in self.get_params(ctx) if param.param_type_name == "argument"]
        names = [str(param.metavar) if param.required else f"[{param.metavar}]" for param in arguments]
        return ["[OPTIONS]", *(n if p.nargs == 1 else f"{n}..." for n, p in zip(names, arguments, strict=True))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options."""
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            params = (param for param in self.get_params(ctx) if param.param_type_name == kind)
            records = [record for param in params if (record := param.get_help_record(ctx))]
            # Some versions of typer write brackets for rich, which would take them for markup.
            rows = [(re.sub(r" <\S+>$", "", name), said.replace("\\[", "[")) for name, said in records]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class Commands(TyperGroup):
    """The group of all commands: only the one that is run is loaded."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # They stand for the commands in lists, in completion, and where a name is nearly right.
        self.commands = {name: TyperCommand(name, help=said) for name, (_, said) in COMMANDS.items()}
        self._listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself; while all are listed, what stands for it."""
        return self.commands.get(cmd_name) if self._listing else loaded(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list in the help."""
        with self._listed():
            super().format_commands(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Names that begin so."""
        with self._listed():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _listed(self) -> Iterator[None]:
        self._listing = True
        try:
            yield
        finally:
            self._listing = False


def loaded(name: str) -> Any:
    """A command by its name; None where there is none."""
    if name not in COMMANDS:
        return None
    function = getattr(import_module(COMMANDS[name][0]), name)
    single = typer.Typer(add_completion=False, **SETTINGS)
    single.command(name, cls=Command, help=as_help(function.__doc__))(function)
    return typer.main.get_command(single)


def as_help(docstring: str) -> str:
    """A docstring as help: its examples stay on lines of their own, also on a narrow terminal."""
    return re.sub(r"\n\n *(?=tconv )", "\n\n\b\n    ", cleandoc(docstring))
