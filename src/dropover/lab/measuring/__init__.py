"""What a trained model is worth under noise and under attack."""
