"""The small languages inside strings: references, conditions, checks, quantities, cron."""
