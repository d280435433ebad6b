"""What is told of a trading day and of a week, as text, figures and pictures."""
