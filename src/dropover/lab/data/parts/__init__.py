"""What data sets share: files, formats, decoding, loading."""
