"""What every server of the project shares: its socket, and the packages that it needs."""
