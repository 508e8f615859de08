"""What processes share: where it lies, the files that all users write, the locks and the leases."""
