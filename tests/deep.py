"""What `make test-deep` tries beyond `make test`: more of the same, what is random, and what waits long."""

import os

import pytest

DEEP = os.environ.get("SPARK_MODE_DEEP") == "1"
deep = pytest.mark.skipif(not DEEP, reason="shows more of what others show, or waits long for it: make test-deep")
"""Marks a test whose obligation others hold as well, in another case, or by a simulation that Docker decides nothing in."""
