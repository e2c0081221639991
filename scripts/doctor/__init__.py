"""Measures the Dataset Doctor and the face backends: on real photographs, and on defects that are seeded on purpose."""
