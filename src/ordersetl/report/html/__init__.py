"""The result of a check as one page for people: drawn by itself, without a network, from exact figures."""
