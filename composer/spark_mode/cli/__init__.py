"""The command line: one verb a file, and how things are shown."""
