"""Load, staged -> curated: what it builds on, which versions win, what each file then holds.

Among all versions of an order the highest ``updated_at`` wins; on a tie the later batch, then the later position in it.
"""
