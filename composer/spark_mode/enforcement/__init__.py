"""Holding the rule against everybody who does not use spark-mode."""
