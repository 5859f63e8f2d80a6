"""Tests of the command line, by what it prints and with which code it ends."""
