"""The emulated scoring endpoint: ORES v3 and Lift Wing with seeded scores, settable faults and a log of its calls."""
