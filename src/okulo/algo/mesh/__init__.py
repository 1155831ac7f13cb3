"""Triangle meshes as arrays: neighbours, normals, filters, noise, shapes; compiled, on all cores."""
