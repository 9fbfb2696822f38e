module example.com/converge/benchmarks/floor

go 1.24
