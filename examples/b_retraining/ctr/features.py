"""Features of an impression: the same function for training and for serving."""


def impression(row):
    """Return what the model sees of one row."""
    return {
        "hour": row["shown_at"].hour,
        "site": row["site"],
        "device": row["device"],
        "bid": row["bid"],
    }
