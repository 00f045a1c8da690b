"""What several ways share."""
