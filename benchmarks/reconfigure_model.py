"""Export the models that are reconfigured, one for each size of its variable.

    python benchmarks/reconfigure_model.py FOLDER

Each is the model of the soak, in a folder that is named for the model.
"""

import sys
from pathlib import Path

from reconfigure_plan import SIDES
from soak_model import export_numbered

if __name__ == "__main__":
    for name, side in SIDES.items():
        export_numbered(Path(sys.argv[1]) / name, side)
