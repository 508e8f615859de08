"""spark-mode: the switch that decides what runs on a DGX Spark.

The rooms, from the ground up: `lab` (what there is), `planning` (what shall happen), `engine` (the doors to the
world), `switching` (making it happen), `cli` (the command line). Imports point one way: cli → switching → planning →
lab, and only `switching` uses `engine`. `lab` and `planning` are pure: they touch nothing and read no clock.
"""

__version__ = "0.2.0"
