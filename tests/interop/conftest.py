# SPDX-License-Identifier: Apache-2.0
"""Interoperability: programs of others, with certificates from `sallyport pki`. What was seen goes into the matrix."""
import importlib.util
import os
import pathlib
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
INTEGRATION = HERE.parent / "integration"
sys.path[:0] = [str(HERE), str(INTEGRATION)]


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lb = load("integration_conftest", INTEGRATION / "conftest.py").lb

from matrix_file import Matrix  # noqa: E402
from our_pki import OurPKI  # noqa: E402


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """The CAs `servers`, `clients` and `strangers` with what they issued, all by `sallyport pki`."""
    return OurPKI(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """The folder that a run leaves behind."""
    folder = pathlib.Path(os.environ.get("INTEROP_RESULTS") or tmp_path_factory.mktemp("results"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def matrix(results):
    m = Matrix()
    yield m
    m.save(results / "matrix.json")


@pytest.fixture(scope="module")
def open_folder():
    """A folder that a server with rights of its own can reach, as pytest's cannot be for it."""
    with tempfile.TemporaryDirectory(prefix="sallyport-interop-") as folder:
        path = pathlib.Path(folder)
        path.chmod(0o755)
        yield path
