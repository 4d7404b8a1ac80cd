//! Which emissions have spans.

use fanfare::layer::Trace;
use fanfare::{Bus, Delivery, Signal};

use super::capture::Capture;
use crate::support::{Log, MODES};

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Which of the emissions of `0..n` have spans of calls, by what `event` says that a span is of.
fn sampled(capture: &Capture) -> (usize, usize) {
    (capture.named("emit").len(), capture.named("deliver").len())
}

#[tokio::test]
async fn the_first_of_each_n_has_all_its_spans_and_the_others_have_none() {
    for mode in MODES {
        let (capture, _guard) = Capture::start();
        let trace = Trace::info().sample(3);
        let signal = Signal::<u32>::builder().dispatch(mode).trace(trace).build();
        signal.on(async |_| {});
        signal.on(async |_| {});
        let mut seen = Vec::new();
        for n in 0..7 {
            assert!(signal.emit(n).await.is_ok());
            seen.push(sampled(&capture));
            capture.clear();
        }
        let (yes, no) = ((1, 2), (0, 0));
        assert_eq!(seen, [yes, no, no, yes, no, no, yes], "{mode}");
        let described = signal.describe().to_string();
        assert!(described.contains("trace (INFO, 1 in 3)"), "{described}");
    }
}

#[tokio::test]
async fn a_traceparent_decides_whatever_the_ratio() {
    let (capture, _guard) = Capture::start();
    for (one_in, parent, spans) in [
        (1, NOT_SAMPLED, (0, 0)),
        (1_000, SAMPLED, (1, 1)),
        // As if there were none: one in one.
        (1, "nonsense", (1, 1)),
    ] {
        let signal = Signal::<u32>::builder();
        let signal = signal.trace(Trace::info().sample(one_in)).build();
        signal.on(async |_| {});
        // The first is taken in any case, if no parent decides.
        if one_in > 1 {
            let _ = signal.emit(0).await;
            capture.clear();
        }
        for _ in 0..2 {
            let _ = signal.emit(1).header("traceparent", parent).await;
            assert_eq!(sampled(&capture), spans, "{parent}");
            capture.clear();
        }
    }
}

#[tokio::test]
async fn what_is_emitted_in_a_listener_follows_its_emission() {
    for emits_by in ["nested", "caused by", "another header"] {
        let (capture, _guard) = Capture::start();
        let outer = Signal::<u32>::builder().name("outer");
        let outer = outer.trace(Trace::info().sample(2)).build();
        let inner = Signal::<String>::builder().name("inner");
        let inner = inner.trace(Trace::info().sample(3)).build();
        inner.listen().key("b").on(async |_| {}).unwrap();
        let emits = async move |n: u32, delivery: Delivery| {
            let emission = inner.emit(n.to_string());
            let _ = match emits_by {
                "nested" => emission.await,
                "caused by" => {
                    let inner = inner.clone();
                    let task = async move { inner.emit(n.to_string()).caused_by(&delivery).await };
                    tokio::spawn(task).await.unwrap()
                }
                _ => emission.header("traceparent", SAMPLED).await,
            };
        };
        outer.listen().with_delivery().on(emits).unwrap();
        let mut seen = Vec::new();
        for n in 0..4 {
            let _ = outer.emit(n).await;
            let emissions = capture.named("emit");
            let of = |signal| {
                let all = emissions.iter();
                all.filter(|it| it.fields.get("signal") == signal).count()
            };
            seen.push((of("outer"), of("inner")));
            capture.clear();
        }
        let no = usize::from(emits_by == "another header");
        assert_eq!(seen, [(1, 1), (0, no), (1, 1), (0, no)], "{emits_by}");
    }
}

#[tokio::test]
async fn the_trace_of_one_listener_alone_samples_by_itself() {
    let (capture, _guard) = Capture::start();
    let signal = Signal::<u32>::new();
    let parents = Log::default();
    let note = parents.clone();
    let listen = signal.listen().trace(Trace::info().sample(2));
    let notes = async move |_, delivery: Delivery| {
        note.push(delivery.header("traceparent").is_some());
    };
    listen.with_delivery().on(notes).unwrap();
    for (n, parent) in [None, None, None, Some(SAMPLED), Some(NOT_SAMPLED)]
        .into_iter()
        .enumerate()
    {
        let emission = signal.emit(u32::try_from(n).unwrap());
        let _ = match parent {
            Some(parent) => emission.header("traceparent", parent).await,
            None => emission.await,
        };
    }
    assert_eq!(sampled(&capture), (0, 3));
    assert_eq!(parents.take(), [false, false, false, true, true]);
}

#[test]
fn one_in_none_is_refused() {
    let trace = Trace::info().sample(0);
    let expected = "option `sample` cannot be 0: it takes 1, which is every emission, or more";
    let refused = Signal::<u32>::builder().trace(trace).try_build();
    assert_eq!(refused.unwrap_err().to_string(), expected);
    let refused = Bus::builder().trace(trace).try_build();
    assert_eq!(refused.unwrap_err().to_string(), expected);
    let signal = Signal::<u32>::new();
    let refused = signal.listen().trace(trace).on(async |_| {});
    assert!(refused.unwrap_err().to_string().contains("`sample`"));
}

#[tokio::test]
async fn a_filter_leaves_out_a_span_and_not_what_is_below_it() {
    let (capture, _guard) = Capture::filtered("fanfare=info,other=debug");
    for alone in [false, true] {
        let outer = Signal::<u32>::builder().name("outer");
        let outer = if alone {
            outer.build()
        } else {
            outer.trace(Trace::debug()).build()
        };
        let inner = Signal::<String>::builder().name("inner");
        let inner = inner.trace(Trace::info().sample(3)).build();
        inner.listen().key("b").on(async |_| {}).unwrap();
        let emits = async move |n: u32| {
            let _ = inner.emit(n.to_string()).await;
        };
        let detail = if alone { Trace::debug() } else { Trace::info() };
        let listen = outer.listen().key("a").trace(detail);
        listen.on(emits).unwrap();
        for n in 0..3 {
            let _ = outer.emit(n).await;
            let expected: &[&str] = if alone {
                &["emit inner", "deliver b < emit inner"]
            } else {
                &[
                    "deliver a",
                    "emit inner < deliver a",
                    "deliver b < emit inner < deliver a",
                ]
            };
            assert_eq!(capture.paths(), expected, "{n}");
            capture.clear();
        }
    }
}
