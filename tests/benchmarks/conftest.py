"""The benchmarks import one another by name, as programs of one folder do."""

import sys

from processes import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
