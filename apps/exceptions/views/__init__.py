"""The console's pages of the exception queue."""
