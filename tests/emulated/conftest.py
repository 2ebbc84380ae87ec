"""Small firmware for boards with tinyc's bootloader, built once for all files that update one."""

from __future__ import annotations

import pytest

from support.update_device import App, Apps


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Apps:
    return Apps(tmp_path_factory.mktemp("apps"))


@pytest.fixture(scope="session")
def old(apps: Apps) -> App:
    return apps.get(1, "1.0.0")


@pytest.fixture(scope="session")
def new(apps: Apps) -> App:
    return apps.get(2, "2.0.0")
