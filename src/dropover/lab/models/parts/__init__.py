"""What every network and every placing shares."""
