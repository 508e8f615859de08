"""What is shown: the status, the map, what `check` finds, the history. Nothing here acts."""
