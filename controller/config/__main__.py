"""`python -m controller.config > docs/configuration.md` renews the reference page."""

import sys

from controller.config.reference import reference

sys.stdout.write(reference())
