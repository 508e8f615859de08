"""What there is: the rules and the Compose project, read into frozen models. Pure."""
