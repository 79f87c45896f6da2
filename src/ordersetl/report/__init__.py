"""Results for eyes: tables for a terminal, failures in words."""
