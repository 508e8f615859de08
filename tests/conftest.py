"""What all tests share: how long Hypothesis may search. `make test` tries the same each time, `make test-deep` what is new."""

import os

from hypothesis import settings

settings.register_profile("spark-mode", deadline=None, print_blob=True, derandomize=os.environ.get("SPARK_MODE_DEEP") != "1")
settings.load_profile("spark-mode")
