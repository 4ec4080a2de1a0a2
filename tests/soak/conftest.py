# SPDX-License-Identifier: Apache-2.0
"""The fixtures of tests/integration; and no limit on descriptors but the machine's."""
import importlib.util
import pathlib
import resource
import sys

INTEGRATION = pathlib.Path(__file__).resolve().parents[1] / "integration"
sys.path.insert(0, str(INTEGRATION))

_spec = importlib.util.spec_from_file_location("integration_conftest", INTEGRATION / "conftest.py")
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
lb, pki, target = _fixtures.lb, _fixtures.pki, _fixtures.target

_hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
