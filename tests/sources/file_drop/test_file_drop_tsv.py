"""Tab-separated files are CSV files with another delimiter."""

from __future__ import annotations

from typing import Any

import pytest
from drops import FolderDrop


@pytest.mark.parametrize("format", [{"delimiter": "\t"}, {}], ids=["declared", "found"])
def test_tab_separated_file_is_found_and_read(channel_of: Any, folder_drop: FolderDrop, format: dict) -> None:
    channel = channel_of(folder_drop, format=format)
    lines = [
        "id\tdate\tstatus\twords",
        "a\t2026-03-02\t\tKind, patient; and | calm",
        'b\t2026-03-02\t\t"A tab\there\nand a line"',
    ]
    folder_drop.put("1.tsv", "\r\n".join(lines).encode("cp1252"))
    assert channel.run() == 2
    assert channel.said("story") == {"a": "Kind, patient; and | calm", "b": "A tab\there\nand a line"}
