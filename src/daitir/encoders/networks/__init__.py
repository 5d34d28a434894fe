"""Networks that no library keeps."""
