"""Carries out the Dockerfile without a container engine: its commands in a clean virtual environment on this machine.

Usage: python container.py; needs the package index. Says how large the image's own layer is.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).resolve().parents[1]
DEADLINE_S = 20


def main() -> None:
    """Builds, installs, starts and asks for health.

    Raises:
        SystemExit: something is not as it should be; the message says what.
    """
    said = [(one["instruction"], one["value"]) for one in DockerfileParser(str(ROOT / "Dockerfile")).structure]
    runs = [value for name, value in said if name == "RUN"]
    if len(runs) != 2:
        sys.exit(f"expected one RUN that builds wheels and one that installs them, came {runs}")
    settings = dict(pair.split("=", 1) for name, value in said if name == "ENV" for pair in shlex.split(value))
    health = json.loads(next(value for name, value in said if name == "HEALTHCHECK").partition("CMD ")[2])
    entry = json.loads(next(value for name, value in said if name == "ENTRYPOINT"))
    with tempfile.TemporaryDirectory() as folder:
        wheels = Path(folder, "wheels")
        subprocess.run([sys.executable, "-m", "venv", f"{folder}/env"], check=True)
        inherited = dict(os.environ)  # noqa: TID251  # where the package index is, and the like
        path = f"{folder}/env/bin{os.pathsep}{inherited['PATH']}"
        env = {**inherited, "PATH": path}
        for command in runs:
            script = re.sub(r"--mount=\S+", "", command).replace("/wheels", str(wheels))
            subprocess.run(["sh", "-ec", script], cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
        sizes = sorted(((one.stat().st_size, one.name.split("-")[0]) for one in wheels.iterdir()), reverse=True)
        server = subprocess.Popen(
            [*entry, "--port", "0"],
            cwd=folder,
            env={"PATH": path, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip().rpartition(":")[2]
            checked = subprocess.run(
                health, env={"PATH": path, **settings, "NOVITA_MOCK_PORT": port}, check=False, timeout=DEADLINE_S
            )
            if checked.returncode:
                sys.exit(f"expected the health check to pass at port {port}, came exit code {checked.returncode}")
        finally:
            server.terminate()
            code = server.wait(DEADLINE_S)
    if code:
        sys.exit(f"expected the mock to end in peace on SIGTERM, came exit code {code}")
    total = sum(size for size, _ in sizes)
    largest = ", ".join(f"{name} {size / 1e6:.1f}" for size, name in sizes[:4])
    sys.stdout.write(
        f"the Dockerfile's commands ran; {len(sizes)} wheels of {total / 1e6:.1f} MB over its base image ({largest})\n"
    )


if __name__ == "__main__":
    main()
