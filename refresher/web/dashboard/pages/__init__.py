"""One module for each page: a frozen view, the functions that make it, handlers, and its `ROUTES`."""
