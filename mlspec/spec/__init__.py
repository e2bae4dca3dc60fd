"""The spec as written: layers merged, one typed record per noun."""
