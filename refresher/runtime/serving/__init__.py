"""What answers on PORT: sockets, a server with limits, and the pages that every process has.

`sockets.py`: where to listen, and why that fails; `siblings.py`: who answers for several processes of
one command; `limits.py` and `guests.py`: what a stranger may cost; `pages.py`: health, status, metrics;
`server.py`: an application on a thread; `ports.py`: all of it for one process.
"""
