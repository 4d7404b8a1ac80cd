//! Changing the list of listeners, and asking it.

mod support;

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use fanfare::Signal;
use support::event::Tick;

const SIZES: [usize; 3] = [100, 1_000, 10_000];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(10)
        .configure_from_args();
    register(criterion.benchmark_group("register keyed listeners"));
    change(criterion.benchmark_group("change a full signal"));
    ask(criterion.benchmark_group("ask a full signal"));
    criterion.final_summary();
}

/// All listeners of a signal, from none.
fn register(mut group: BenchmarkGroup<'_, WallTime>) {
    group.sampling_mode(SamplingMode::Flat);
    for n in SIZES {
        group.throughput(Throughput::Elements(n as u64));
        let keys = keys(n);
        group.bench_with_input(BenchmarkId::new("one by one", n), &keys, |bencher, keys| {
            bencher.iter_batched(
                empty,
                |signal| one_by_one(&signal, keys),
                BatchSize::PerIteration,
            );
        });
        group.bench_with_input(BenchmarkId::new("batch", n), &keys, |bencher, keys| {
            bencher.iter_batched(
                empty,
                |signal| in_a_batch(&signal, keys),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// One listener, of a signal that has many.
fn change(mut group: BenchmarkGroup<'_, WallTime>) {
    for n in SIZES {
        let (signal, keys) = full(n);
        let middle = &keys[n / 2];
        group.bench_function(
            BenchmarkId::new("register and remove, no key", n),
            |bencher| {
                bencher.iter(|| signal.on(async |_| {}).remove());
            },
        );
        group.bench_function(BenchmarkId::new("replace", n), |bencher| {
            bencher.iter(|| {
                signal
                    .listen()
                    .key(middle.as_str())
                    .replace()
                    .on(async |_| {})
            });
        });
        group.bench_function(
            BenchmarkId::new("remove by key, register again", n),
            |bencher| {
                bencher.iter(|| {
                    signal.remove(middle);
                    signal.listen().key(middle.as_str()).on(async |_| {})
                });
            },
        );
    }
    group.finish();
}

fn ask(mut group: BenchmarkGroup<'_, WallTime>) {
    for n in SIZES {
        let (signal, keys) = full(n);
        let middle = keys[n / 2].as_str();
        group.bench_function(BenchmarkId::new("contains_key", n), |bencher| {
            bencher.iter(|| signal.contains_key(black_box(middle)));
        });
        group.bench_function(BenchmarkId::new("len", n), |bencher| {
            bencher.iter(|| black_box(&signal).len());
        });
        group.bench_function(BenchmarkId::new("metadata", n), |bencher| {
            bencher.iter(|| signal.metadata(black_box(middle)));
        });
    }
    group.finish();
}

fn keys(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("tenant-{n}")).collect()
}

fn empty() -> Signal<Tick> {
    Signal::builder().max_listeners(usize::MAX).build()
}

fn full(n: usize) -> (Signal<Tick>, Vec<String>) {
    let (signal, keys) = (empty(), keys(n));
    in_a_batch(&signal, &keys);
    (signal, keys)
}

fn one_by_one(signal: &Signal<Tick>, keys: &[String]) {
    for key in keys {
        let registered = signal.listen().key(key.as_str()).on(async |_| {});
        drop(registered.expect("the keys differ"));
    }
}

fn in_a_batch(signal: &Signal<Tick>, keys: &[String]) {
    let batch = signal.batch();
    for key in keys {
        let staged = batch.listen().key(key.as_str()).on(async |_| {});
        drop(staged.expect("the key is not empty"));
    }
    batch.commit().expect("the keys differ");
}
