"""Weight gradients: schedule, how runs are shared by threads, tables, and the records of its kinds."""
