"""The emulated source systems of `emulators/`, and the connections that lead the local Airflow to them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from patient_feedback.errors import StackError
from patient_feedback.settings import Settings
from patient_feedback.stack.airflow import LocalAirflow
from patient_feedback.stack.processes import is_port_free

PORT_COUNT = 9


@contextmanager
def emulated_sources(settings: Settings, first_port: int) -> Iterator[list[str]]:
    """Run the emulators and give Airflow, which must be up, their connections; yield the connections' names.

    Raises StackError where what they need is not installed, a port is taken, or Airflow refuses the connections.
    """
    sys.path.append(str(settings.project_dir))
    try:
        from emulators.all_sources import all_sources, stop_register, write_connections
    except ImportError as error:
        raise StackError(
            f"The emulators need {error.name}, which comes with what tests need: run `make setup-tests` first."
        ) from None
    folder = settings.home / "emulated"
    folder.mkdir(exist_ok=True)
    refuse_taken_ports(first_port, PORT_COUNT - 1)
    # No other `emulate` runs on these ports: a server that still does was left by a killed one.
    stop_register(folder)
    refuse_taken_ports(first_port + PORT_COUNT - 1, 1)
    with all_sources(folder, first_port) as connections:
        path = folder / "connections.json"
        write_connections(connections, path)
        local = LocalAirflow(settings)
        imported = subprocess.run(
            local.command("connections", "import", "--overwrite", str(path)),
            env=local.client_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        path.unlink()
        if imported.returncode != 0:
            said = (imported.stderr or imported.stdout).strip().splitlines()
            raise StackError(
                f"Airflow refuses the connections: {said[-1] if said else 'it does not say why'}."
            )
        yield sorted(connections)


def refuse_taken_ports(first_port: int, count: int = PORT_COUNT) -> None:
    """Raise StackError that names a port which another program holds."""
    for port in range(first_port, first_port + count):
        if not is_port_free(port):
            raise StackError(
                f"Port {port}, wanted for an emulated system, is taken: end what holds it, such as another "
                f"`patient-feedback emulate`, or choose {PORT_COUNT} free ones in a row with --first-port."
            )
