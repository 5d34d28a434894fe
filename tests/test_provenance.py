"""What stands for the code of a stage."""

import subprocess
import sys


def test_planning_imports_no_stage():
    """The revision of a stage's code is read, not run: a plan must not wait for torch."""
    code = "import sys; from daitir.provenance import code_revision; code_revision('daitir.stages.report')"
    code += "; sys.exit(' '.join({'torch', 'transformers', 'daitir.stages'} & set(sys.modules)) or None)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
