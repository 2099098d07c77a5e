"""The model of many machines (`benchmarks/scaling/model.py`), where its answer can be counted by hand."""

from dataclasses import replace

import pytest

from benchmarks.scaling.model import Arrival, Costs, Farm, Simulation, cut

FREE = Costs(
    ledger_accept_s=0.0,
    ledger_report_s=0.0,
    reports_a_job=4.0,
    reports_a_span=1.0,
    prefect_run_s=0.0,
    span_beside_s=0.0,
    job_beside_s=0.0,
    reading_speed=1e9,
    engine_speed=10.0,
)
TALK = Arrival(at_s=0.0, spans_s=cut(100.0, 30.0))


def test_spans_share_the_slots_and_each_costs_its_own() -> None:
    costs = replace(FREE, span_beside_s=0.5, job_beside_s=1.0)

    assert TALK.spans_s == (30.0, 30.0, 30.0, 10.0)
    assert Simulation(costs=costs, farm=Farm(cpu_slots=1, gpu_slots=1)).run([TALK]) == pytest.approx(10 + 4 * 0.5 + 1)
    assert Simulation(costs=costs, farm=Farm(cpu_slots=1, gpu_slots=2)).run([TALK]) == pytest.approx(3.5 + 3.5 + 1)


def test_a_slow_prefect_server_is_what_a_hundred_machines_wait_for() -> None:
    simulation = Simulation(costs=replace(FREE, prefect_run_s=5.0), farm=Farm(cpu_slots=100, gpu_slots=100))

    took_s = simulation.run([TALK] * 20)

    assert took_s >= 20 * (1 + len(TALK.spans_s)) * 5.0
    assert simulation.prefect.share(took_s) > 0.95
    assert simulation.gpu.share(took_s) < 0.05


def test_recordings_are_handed_out_only_as_cpu_slots_come_free() -> None:
    simulation = Simulation(costs=replace(FREE, job_beside_s=2.0), farm=Farm(cpu_slots=2, gpu_slots=100))

    assert simulation.run([TALK] * 6) == pytest.approx(3 * (3.0 + 2.0), rel=1e-6)
    assert len(simulation.ended) == 6
