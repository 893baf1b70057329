"""Orders pictures, waits for them by polling or by webhook, and keeps the files."""
