"""Drives a device by `mcumgr_toolkit`: `python mcumgr_client.py requests|update PORT IMAGE HASH`.

A program of its own: the library waits for answers without letting other threads of Python run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import mcumgr_toolkit


def requests(client: mcumgr_toolkit.MCUmgrClient, image: bytes, image_hash: bytes) -> None:
    """Every standard request of an update, one by one."""
    client.check_connection()
    assert client.os_echo("hello") == "hello"
    assert client.stats_list_groups() == ["tinyc"]
    assert client.stats_get_group_data("tinyc")["dropped"] == 0
    client.image_upload(image)
    states = client.image_set_state(image_hash)
    assert states[-1].pending, states
    client.os_system_reset()


def main(what: str, port: str, image: str, image_hash: str) -> None:
    client = mcumgr_toolkit.MCUmgrClient.serial(port, 115_200, 20_000)
    client.use_auto_frame_size()
    content = Path(image).read_bytes()
    if what == "update":
        client.firmware_update(content)  # its own sequence, which asks for the bootloader first
    else:
        requests(client, content, bytes.fromhex(image_hash))


if __name__ == "__main__":
    main(*sys.argv[1:])
