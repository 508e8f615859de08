"""Several machines, each of which keeps its own rule: here they are only asked, over ssh."""
