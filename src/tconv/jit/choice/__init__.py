"""Which schedule a problem gets: the model, the search around a schedule, and what tuning remembered."""
