"""Making it happen: observe, lock, execute, wait, and remember."""
