"""What of the documents is made: screens, the keys of rules.yaml, the picture. `python -m documents` makes it anew."""
