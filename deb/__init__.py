"""The Debian package: `make deb` builds it with dpkg-deb. docs/operations.md says why it has the form it has."""
