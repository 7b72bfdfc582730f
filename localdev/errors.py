"""The one error of local commands: a sentence for the person at the keyboard, printed without a trace."""


class LocaldevError(Exception):
    """Says what could not be done and what to do next."""
