"""What is remembered: the records of a switch, the file that keeps them, and what they say together."""
