"""What attacks share: the task, its balls and losses, and the loops that climb."""
