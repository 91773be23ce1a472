"""Labels meet arrays here, and nowhere else: xarray and dask over the methods."""
