"""What boards share: how they are fed, and a trial as they have it."""
