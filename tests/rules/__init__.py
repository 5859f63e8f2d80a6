"""The rules, as tables: values in, values out; no service is needed."""
