"""Steps from one layout of the database to the next, run at the start of a server."""
