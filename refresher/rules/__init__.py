"""Pure decisions: values in, values out. No clock, no dice, no I/O, no settings.

Whatever varies (the time, a random number, what the provider answered) is an argument, so each
rule is tested as a table. Start with `outcomes.py`, then `policy.py`.
"""
