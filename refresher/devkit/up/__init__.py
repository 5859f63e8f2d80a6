"""`refresher up`: everything in one process, on a database of its own unless one is given.

The rule of this folder: it arranges what a newcomer has not arranged yet (database, key, providers
file) and then runs what production runs; there is no second way to refresh. Reading order:
running.py (start to stop), ground.py (what it stands on), worker.py (only with Redis).
"""
