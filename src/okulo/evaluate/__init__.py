"""How good a model is, and when it should say 'I don't know'."""
