"""Near-duplicate pictures: candidates by embeddings, a look at the pictures, groups, which one to keep."""
