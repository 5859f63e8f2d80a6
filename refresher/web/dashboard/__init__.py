"""The dashboard: pages under `/ui` for operators, made on the server."""
