# What people do with this repository; `just` alone lists it.

_list:
    @just --list --unsorted

# everything that must hold before a change is taken, as CI does it
ci:
    .ci/run

# all tests, on the real cluster too (root, Debian 12)
test:
    tests/run

# the tests without the real cluster
quick:
    tests/run quick

# format all code
fmt:
    cargo fmt --all

# clippy, as strict as CI
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# the benchmarks
bench *ARGS:
    cargo bench --workspace --locked {{ ARGS }}

# print the graph of a playbook, touching nothing
graph playbook="playbooks/kubeadm-psp.rhai" *ARGS:
    cargo run --quiet --locked -- graph {{ playbook }} {{ ARGS }}
