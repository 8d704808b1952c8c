"""Packages that parts of tconv need, and a plain installation does not bring."""

from __future__ import annotations

from importlib import import_module


def need(module: str, name: str, extra: str) -> None:
    """Import a module, or say plainly what is missing and how to get it.

    ModuleNotFoundError, with the missing module as its `name`. One that fails for a reason of its own fails with that.
    """
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        reason = f"tconv.{extra} needs {name}, which is not installed: pip install 'tconv[{extra}]'"
        raise ModuleNotFoundError(reason, name=module) from None
