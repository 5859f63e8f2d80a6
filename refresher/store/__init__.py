"""ALL SQL, and nothing but SQL: functions take a `Connection` of SQLAlchemy and return rules' values.

They never commit: `session.transaction` opens the transaction that the story (`refresh.py`,
`dispatch.py`) needs. Every comparison of times happens here, in the database's clock, read through
`refresher_now()`. Note `schedule.py` (the table) versus `refresher/scheduler.py` (the process).
"""
