"""Transform, raw -> staged: chunks of pages, validated in bulk or one by one, become typed orders and lines."""
