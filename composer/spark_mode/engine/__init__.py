"""The doors to the world, one small Protocol each: Docker, Compose, the machine's memory, and the clock.

They ask and act, and judge nothing. Only `switching` goes through them; the tests' simulated machine is a second
implementation of each.
"""
