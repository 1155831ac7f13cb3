"""The search page: a picture is given, what looks like it is shown, and people say what fits."""
