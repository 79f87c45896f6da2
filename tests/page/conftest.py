"""The browser's driver is installed for the session ``page`` alone; without it, these tests cannot even be listed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("playwright") and find_spec("axe_playwright_python") else ["test_browser.py"]
