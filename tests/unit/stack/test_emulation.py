"""The emulated systems start, or say in a sentence why not."""

from __future__ import annotations

import socket

import pytest

from patient_feedback.errors import StackError
from patient_feedback.stack.emulation import refuse_taken_ports


def test_port_that_is_taken_is_named_with_the_way_out() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(StackError, match=rf"Port {port}.*--first-port"):
            refuse_taken_ports(port)
