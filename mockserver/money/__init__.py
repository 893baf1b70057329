"""What pictures cost, what was spent, what was paid twice, and what an account refuses. Knows no HTTP and no clock.

Amounts are whole micro-USD (0.000001 USD) everywhere; instants are virtual milliseconds and are passed in.
"""
