"""Features of a payment: pure functions, the same for training and for serving."""

import math
from datetime import timedelta


def payment(row):
    """Return what the request itself says."""
    return {
        "amount_log": math.log1p(row["amount"]),
        "hour": row["event_time"].hour,
        "mcc": row["mcc"],
        "country": row["country"],
        "is_foreign": row["country"] != "US",
    }


def card_activity(rows, at):
    """Return what the card did before `at`; `rows` are its earlier payments, oldest first."""
    hour, day, week = (at - timedelta(hours=hours) for hours in (1, 24, 168))
    last_hour = last_day = 0
    amounts, countries = [], set()
    for row in reversed(rows):
        if row["event_time"] < week:
            break
        amounts.append(row["amount"])
        if row["event_time"] >= day:
            last_day += 1
            countries.add(row["country"])
        if row["event_time"] >= hour:
            last_hour += 1
    return {
        "txn_count_1h": last_hour,
        "txn_count_24h": last_day,
        "amount_avg_7d": sum(amounts) / len(amounts) if amounts else 0.0,
        "countries_24h": len(countries),
    }
