"""Find the pictures most like one: indexes, query expansion, re-ranking."""
