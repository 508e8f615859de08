"""From a Compose project to a first rules.yaml. Pure: what is seen goes in as plain data, and the text comes out."""
