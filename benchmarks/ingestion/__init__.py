"""How fast feedback comes into the warehouse, and in how much memory."""
