"""The web page: it shows and asks; the command acts. Nothing imports it but the verb `page`, when it is called."""
