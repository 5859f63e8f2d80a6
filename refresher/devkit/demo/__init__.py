"""`refresher demo`: real processes, a strict OAuth server, a restart in the middle, and a referee.

The rule of this folder: it watches, it never helps. It imports connections through `registration.take`
as anybody does, runs the scheduler as the process that production runs, and takes its figures from the
database and from the other side's ledger. Reading order: show.py (the story), stage.py (what is
set up), interruption.py (the restart), screen.py (how it looks).
"""
