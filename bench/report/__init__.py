"""What people and programs read: facts phrased once, and the formats that render them."""
