"""How many refreshes a second this machine carries, and what each one costs.

    python -m bench.refreshes --latency 0.2 --connections 100000

The rule of this folder: it measures what production runs, the scheduler's and the workers' own
processes, and changes nothing about them but settings, which it tells. Reading order: run.py (the
story), stage.py (what is set up), seed.py, statements.py (its SQL), processes.py, usage.py (what it
cost), report.py.
"""
