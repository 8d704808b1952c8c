"""`python -m benchmarks.pages`: write the pages of measurements, or with `--check` only say which are out of date."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.pages.texts import COMMAND, DOCS, pages


def main(arguments: list[str] | None = None) -> int:
    """Write what differs; 1 if something differs and may only be checked."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; end with 1 if a page is not what it should be"
    )
    check = parser.parse_args(arguments).check
    different = out_of_date()
    for path, text in different.items():
        print(f"{path.relative_to(DOCS.parent)}: {'is out of date' if check else 'written'}")
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if check and different:
        print(f"run {COMMAND}")
    return int(check and bool(different))


def out_of_date() -> dict[Path, str]:
    """The files that do not hold what they should, and what that is."""
    return {path: text for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text}


if __name__ == "__main__":
    sys.exit(main())
