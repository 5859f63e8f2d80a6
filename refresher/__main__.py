"""`python -m refresher`: the same as the command `refresher`."""

from refresher.cli import main

if __name__ == "__main__":
    main()
