"""What Alembic runs: the steps on the connection that `leaderboard.server.database.Database.migrate` gives."""

from alembic import context

from leaderboard.server.models import Base


def run() -> None:
    """Run the steps; ALTER is made by copying on SQLite, which has little of it."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


run()
