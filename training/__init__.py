"""How the method trains fast: layers that compute the same as the library's, in less time."""
