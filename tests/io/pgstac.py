"""A real STAC API for tests: PostgreSQL with PostGIS and pgstac, stac-fastapi in front.

Debian: ``apt-get install postgresql postgresql-15-postgis-3``; Python: the extra ``server``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_PIECES = ("pypgstac", "stac_fastapi.pgstac", "uvicorn", "psycopg")


def missing() -> str | None:
    """What the server lacks on this machine; None where it can be started."""
    if _tool("initdb") is None:
        return "PostgreSQL is not installed (Debian: postgresql-15-postgis-3)"
    shares = Path("/usr/share/postgresql").glob("*/extension/postgis.control")
    if not any(shares):
        return "PostGIS is not installed (Debian: postgresql-15-postgis-3)"
    for name in _PIECES:
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return f"{name} is not installed (pip install -e '.[server]')"
    return None


def _tool(name: str) -> str | None:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", "")])
    return shutil.which(name, path=path)


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(folder: Path, collections: list[Any], items: list[Any]) -> Iterator[str]:
    """Start database and API in a folder, load them, yield the API's URL, stop both."""
    if reason := missing():
        if os.environ.get("XINPAINT_NEED_SERVER"):
            pytest.fail(f"XINPAINT_NEED_SERVER is set, but {reason}")
        pytest.skip(reason)
    # beside pytest's own folders, which only their owner may enter: PostgreSQL is another user
    home = Path(tempfile.mkdtemp(prefix="pgstac-"))
    home.chmod(0o755)
    data, sockets, port = home / "pg", home / "s", _port()
    for path in (data, sockets):
        path.mkdir()
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        as_user = {"user": "postgres", "group": "postgres"}
        for path in (data, sockets):
            shutil.chown(path, "postgres", "postgres")
    env = os.environ | {
        "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "postgres", "PGPASSWORD": "x",
        "PGDATABASE": "postgres",
    }  # fmt: skip

    def call(*command: Any, **more: Any) -> None:
        done = subprocess.run(
            [str(part) for part in command], env=env, text=True, cwd="/tmp",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

    call(_tool("initdb"), "-D", data, "-U", "postgres", "--auth=trust", "-N", **as_user)
    server = subprocess.Popen(
        [str(_tool("postgres")), "-D", str(data), "-p", str(port), "-k", str(sockets),
         "-h", "127.0.0.1", "-c", "fsync=off"],
        cwd="/tmp", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_user,
    )  # fmt: skip
    api = None
    try:
        _wait(lambda: call(_tool("psql"), "-c", "select 1"))
        call(_tool("psql"), "-c", "create database stac")
        env["PGDATABASE"] = "stac"
        call(_tool("psql"), "-c", "create extension postgis")
        scripts = Path(sys.executable).parent
        call(scripts / "pypgstac", "migrate")
        for kind, rows in (("collections", collections), ("items", items)):
            file = folder / f"{kind}.ndjson"
            file.write_text("\n".join(json.dumps(row) for row in rows))
            call(scripts / "pypgstac", "load", kind, file, "--method", "upsert")
        web = _port()
        log = (folder / "api.log").open("w")
        api = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--factory", "stac_fastapi.pgstac.app:create_app",
             "--port", str(web), "--log-level", "warning"],
            env=env | {"POSTGRES_HOST_READER": "127.0.0.1"}, cwd="/tmp",
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        url = f"http://127.0.0.1:{web}"
        _wait(lambda: urllib.request.urlopen(url, timeout=5).close())
        yield url
    finally:
        for process in (api, server):
            if process is not None:
                process.terminate()
                process.wait(30)
        if api is not None:
            log.close()
        shutil.rmtree(home, ignore_errors=True)


def _wait(ready: Any, seconds: float = 600) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            ready()
        except Exception:
            if time.monotonic() > until:
                raise
            time.sleep(0.3)
        else:
            return
