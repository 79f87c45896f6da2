"""Extract, API -> raw: where from, which window, its pages, the reference files that come with it."""
