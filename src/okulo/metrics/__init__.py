"""Pure functions (truth, guess) → number.

Rows that have no truth are left out by the caller. No row at all gives nan; a class that is absent gives nan
for itself and is left out of averages; nothing is ever replaced by a silent zero or one.
"""
