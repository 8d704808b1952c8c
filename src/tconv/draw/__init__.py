"""Figures. The numbers come from the rest of the library; here is only how they look. Needs matplotlib."""
