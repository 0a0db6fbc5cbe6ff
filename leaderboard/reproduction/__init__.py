"""`icvos reproduce`: the commands that give a row of the paper, what they need, and what came out beside the figure."""
