"""What is measured: each `bench_*` module prints Markdown tables; `python -m benchmarks` keeps them in README.md."""
