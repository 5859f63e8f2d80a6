"""Measurements of refresher beside its peers: `python -m bench`, `python -m bench.claim`.

Not shipped. The job is the same for all (bench/job.py), and so are the PostgreSQL, the Redis and the
token endpoint (bench/servers.py). What production runs is measured by `python -m bench.refreshes`.
"""
