"""How much speech a worker says it transcribes, by a clock of the test."""

from flows.worker.throughput import Throughput


def test_rates_are_of_the_last_minutes_alone() -> None:
    now = [0.0]
    throughput = Throughput(lambda: now[0], window_s=120)
    assert throughput.rates() == (0.0, 0.0)
    now[0] = 60.0
    throughput.note(90.0)
    throughput.note(30.0)
    assert throughput.rates() == (2.0, 2.0)
    now[0] = 120.0
    throughput.note(60.0)
    assert throughput.rates() == (1.5, 1.5)
    now[0] = 200.0
    assert throughput.rates() == (0.5, 0.5)
