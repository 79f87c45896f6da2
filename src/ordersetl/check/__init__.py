"""Check: is the curated layer right? Its files, SQL over them, figures, the quarantine, and reconciliation with raw."""
