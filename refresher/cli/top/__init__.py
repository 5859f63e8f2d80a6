"""`refresher top`: what a deployment is doing, live.

`command.py`: the command; `picture.py`: one picture, for a pipe and for a terminal without Textual.
With keys: `app.py` the whole, `views.py` its five views, `inspecting.py` one connection, `asking.py`
questions, `rows.py` lists as texts; `source.py` takes every look, `steering.py` does every deed.
"""
