"""What answers on PORT: sockets, a server with limits, and the pages that every process has.

`sockets.py`: where to listen, why that fails, and who answers for several processes of one command;
`limits.py`: what a stranger may cost; `server.py`: an application on a thread, and health, status and
metrics; `ports.py`: all of it for one process.
"""
