"""Clocks, memory and what the machine is."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SHOWN_PACKAGES = (
    "numpy",
    "scikit-learn",
    "torch",
    "sentence-transformers",
    "openvino",
    "peft",
    "bertopic",
    "umap-learn",
    "gensim",
    "vaderSentiment",
    "presidio-analyzer",
    "onnxruntime",
)


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turn(sides: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each side in each repeat; sides take turns, so that a busy moment hits all."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats):
        names = list(sides) if repeat % 2 == 0 else list(sides)[::-1]
        for name in names:
            taken[name].append(seconds(sides[name]))
    return taken


def peak_memory_mb() -> float | None:
    """Return the largest memory that this process has held so far; None where the system does not say."""
    # Not getrusage: its figure is inherited from the process that started this one.
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    for line in status.read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None


def describe_run(threads: int, seed_count: int, data: str) -> dict[str, object]:
    """Return processor, cores, versions, time and commit, as the results name them."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "threads": threads,
        "seed_count": seed_count,
        "data": data,
        "measured_on": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    fields = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines) if value
    }
    flags = set(fields.get("flags", "").split())
    fast = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if flag in flags]
    name = fields.get("model name") or platform.processor() or platform.machine()
    return f"{name} ({' '.join(fast)})" if fast else name


def _versions() -> dict[str, str]:
    found = {}
    for package in SHOWN_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
