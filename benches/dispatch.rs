//! One emission, by mode, kind of listener and number of listeners, beside what one would write by hand.
//!
//! `cargo bench --bench table` prints the same cases as one table of ratios; this one keeps a history, for a change before and after.

mod support;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use support::cases::{self, Case};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    measure(&mut criterion, "ready", cases::ready);
    measure(&mut criterion, "yield once", cases::suspending);
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion, name: &str, cases: fn(usize) -> Vec<Case>) {
    let runtime = cases::runtime();
    let mut group = criterion.benchmark_group(name);
    for n in [1, 10, 100, 1_000] {
        group.throughput(Throughput::Elements(n as u64));
        for case in cases(n) {
            let id = BenchmarkId::new(case.name.replace(['*', '`'], ""), n);
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|times| case.time(&runtime, times));
            });
        }
    }
    group.finish();
}
