"""The loops that write tables of minimal filtering."""
