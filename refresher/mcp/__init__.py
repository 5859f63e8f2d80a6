"""`refresher mcp`: an agent sees its connections, gets fresh tokens, and asks its user to connect.

An MCP server over stdio, made with the official SDK (`pip install "refresher[mcp]"`), on top of what
applications import. It serves one organization. docs/mcp.md.
"""
