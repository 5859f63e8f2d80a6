"""What `test_state_machine.py` runs on: a model of the rows, a strict provider, simulated processes."""
