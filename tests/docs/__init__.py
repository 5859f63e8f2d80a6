"""The pages for people: the site is built from them, and what they show is run."""
