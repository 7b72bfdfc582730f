"""What ends a local command early; a LocaldevError is a sentence for the person at the keyboard, without a trace."""


class LocaldevError(Exception):
    """Says what could not be done and what to do next."""


class Stopped(Exception):
    """Somebody asked the demo to end while it was starting."""
