"""What is published: the wheel and the sdist, and what a stranger does with them."""
