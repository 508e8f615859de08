"""Which lab, opened: where it is found, what is read of it early, the lab in hand, and looking at it."""
