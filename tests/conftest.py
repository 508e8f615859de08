"""What all tests share: how long Hypothesis may search."""

from hypothesis import settings

settings.register_profile("spark-mode", deadline=None, print_blob=True)
settings.load_profile("spark-mode")
