"""How a simulated venue matches, charges and margins orders."""
