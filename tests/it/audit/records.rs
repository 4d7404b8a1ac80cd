//! What is recorded, and in what form.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fanfare::layer::Change;
use fanfare::observe::audit::{AuditKind, AuditLog};
use fanfare::{Bus, Metrics, Pool, Rollout, Signal, acting_as};

use super::all;
use crate::support::{Captured, Log};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn every_change_of_a_bus_is_a_record_and_so_is_its_end() {
    let log = AuditLog::new();
    let bus = Bus::builder()
        .name("shop")
        .pool(Pool::new(4))
        .audit(&log)
        .signal::<u32>(|signal| signal.name("orders"))
        .build();
    let rollout = Rollout::by_key(0.5, |n: &u32| n.to_be_bytes());
    let listen = bus.listen::<u32>().key("a").rollout(&rollout);
    let sub = listen.timeout(SECOND).on(async |_| {}).unwrap();
    sub.disable();
    sub.enable();
    sub.change(Change::new().timeout(2 * SECOND)).unwrap();
    rollout.set(0.75).unwrap();
    bus.resize_pool(8).unwrap();
    bus.set_metrics(Metrics::Off).unwrap();
    sub.remove();
    let _ = bus.shutdown(SECOND).await;
    assert_eq!(
        all(&log),
        [
            "#0 nobody: `a` of `orders`: calls: enabled -> disabled",
            "#1 nobody: `a` of `orders`: calls: disabled -> enabled",
            "#2 nobody: `a` of `orders`: timeout: 1s -> 2s",
            "#3 nobody: `a` of `orders`: rollout: 50% -> 75%",
            "#4 nobody: `shop`: pool: 4 permits -> 8 permits",
            "#5 nobody: `shop`: metrics: counting -> off",
            "#6 nobody: `shop`: shutdown: open -> shutting down",
            "#7 nobody: `shop`: shutdown: shutting down -> shut down, nothing was left",
        ]
    );
}

#[tokio::test]
async fn listeners_that_come_and_go_are_recorded_if_asked() {
    for asked in [false, true] {
        let builder = AuditLog::builder();
        let log = if asked { builder.lifecycle() } else { builder }.build();
        let signal = Signal::<u32>::builder().name("orders").audit(&log).build();
        let sub = signal.listen().key("a").on(async |_| {}).unwrap();
        sub.remove();
        let expected: &[&str] = if asked {
            &[
                "#0 nobody: `a` of `orders`: registered, 1 listener",
                "#1 nobody: `a` of `orders`: removed, 0 listeners",
            ]
        } else {
            &[]
        };
        assert_eq!(all(&log), expected);
    }
    let log = AuditLog::builder().lifecycle().build();
    let bus = Bus::builder().audit(&log).build();
    bus.on(async |_: u32| {});
    assert_eq!(log.len(), 1);
}

#[tokio::test]
async fn a_record_has_all_that_is_known() {
    let log = AuditLog::builder().lifecycle().build();
    let signal = Signal::<u32>::builder().name("orders").audit(&log).build();
    let before = SystemTime::now();
    let sub = signal.on(async |_| {});
    acting_as("alice", || sub.disable());
    let records = log.records();
    let (came, off) = (&records[0], &records[1]);
    let place = format!("{}:{}", sub.location().file(), sub.location().line());
    assert_eq!(
        (came.kind, off.kind),
        (AuditKind::Lifecycle, AuditKind::Change)
    );
    for record in [came, off] {
        assert!(record.at >= before);
        assert_eq!(record.signal, "orders");
        assert_eq!((record.listener, &record.key), (Some(sub.id()), &None));
        assert_eq!(record.location.as_deref(), Some(&*place));
    }
    assert_eq!((came.sequence, off.sequence), (0, 1));
    assert_eq!((&*came.what, &*off.what), ("registered", "calls"));
    assert_eq!(
        (came.dispatch.as_deref(), came.listeners),
        (Some("concurrent"), Some(1))
    );
    assert_eq!(
        (&came.before, &came.after, &came.actor),
        (&None, &None, &None)
    );
    assert_eq!(off.before.as_deref(), Some("enabled"));
    assert_eq!(off.after.as_deref(), Some("disabled"));
    assert_eq!(off.actor.as_deref(), Some("alice"));
    assert_eq!((&off.dispatch, off.listeners), (&None, None));
    let _ = signal.shutdown(SECOND).await;
    assert_eq!(log.records()[2].kind, AuditKind::Shutdown);
}

#[tokio::test]
async fn nothing_of_an_event_or_of_an_error_is_in_a_record() {
    let log = AuditLog::builder().lifecycle().build();
    let signal = Signal::<String>::builder().audit(&log).build();
    let policy = fanfare::layer::FailurePolicy::new().otherwise(fanfare::layer::Decision::Disable);
    let listen = signal.listen().failure_policy(policy);
    let fails = async |text: String| Err::<(), _>(format!("cannot read {text}"));
    listen.on(fails).unwrap();
    let _ = signal.emit("secret".to_owned()).header("k", "secret").await;
    let _ = signal.shutdown(SECOND).await;
    assert_eq!(log.len(), 4);
    assert!(!format!("{:?}", log.records()).contains("secret"));
}

#[tokio::test]
async fn a_record_is_redacted_before_it_is_kept_or_told_and_keeps_its_number() {
    let told = Log::default();
    let sink = told.clone();
    let log = AuditLog::builder()
        .redact(|record| record.key = None)
        .redact(|record| {
            record.location = None;
            record.sequence = 99;
        })
        .on_record(|_| panic!("a sink"))
        .on_record(move |record| sink.push(record.clone()))
        .build();
    let signal = Signal::<u32>::builder().name("orders").audit(&log).build();
    let sub = signal
        .listen()
        .key("customer-4711")
        .on(async |_| {})
        .unwrap();
    sub.disable();
    assert_eq!(
        all(&log),
        ["#0 nobody: `orders`: calls: enabled -> disabled"]
    );
    assert_eq!(told.take(), [(*log.records()[0]).clone()]);
}

#[tokio::test]
async fn a_redaction_that_panics_lets_nothing_through() {
    let log = AuditLog::builder()
        .redact(|record| assert!(record.key.is_none(), "on purpose"))
        .build();
    let signal = Signal::<u32>::builder().name("orders").audit(&log).build();
    let sub = signal
        .listen()
        .key("customer-4711")
        .on(async |_| {})
        .unwrap();
    acting_as("alice", || sub.disable());
    let record = &log.records()[0];
    let text = format!("{record:?} {record}");
    for name in ["4711", "orders", "alice", file!()] {
        assert!(!text.contains(name), "{text}");
    }
    assert_eq!((record.listener, &*record.what), (Some(sub.id()), "calls"));
}

#[tokio::test]
async fn the_words_of_a_redaction_that_panics_are_in_no_line_of_the_log_either() {
    let (captured, guard) = Captured::start();
    let log = AuditLog::builder()
        .redact(|record| panic!("cannot redact {:?}", record.key))
        .build();
    let signal = Signal::<u32>::builder().name("orders").audit(&log).build();
    let listen = signal.listen().key("customer-4711");
    listen.on(async |_| {}).unwrap().disable();
    drop(guard);
    let told = captured.lines().join("\n");
    assert!(
        told.contains("a redaction of an audit log panicked"),
        "{told}"
    );
    assert!(!told.contains("cannot redact"), "{told}");
}

#[tokio::test]
async fn a_bus_and_its_signal_that_write_to_the_same_log_write_once() {
    let (log, other) = (AuditLog::builder().lifecycle().build(), AuditLog::new());
    let (same, another) = (log.clone(), other.clone());
    let bus = Bus::builder()
        .audit(&log)
        .audit(&log.clone())
        .signal::<u32>(move |signal| signal.audit(&same).audit(&another))
        .build();
    bus.on(async |_: u32| {}).disable();
    assert_eq!((log.len(), other.len()), (2, 1));
}

#[tokio::test]
async fn no_lock_is_held_while_a_record_is_told() {
    let log: Arc<std::sync::OnceLock<AuditLog>> = Arc::default();
    // Weak, or the log would keep itself.
    let (own, of_redaction) = (Arc::downgrade(&log), Arc::downgrade(&log));
    let made = AuditLog::builder()
        .redact(move |_| {
            let log = of_redaction.upgrade().unwrap();
            assert_eq!(log.get().unwrap().len(), 0);
        })
        .on_record(move |record| {
            let records = own.upgrade().unwrap().get().unwrap().records();
            assert_eq!(
                records.last().map(|last| last.sequence),
                Some(record.sequence)
            );
        })
        .build();
    log.set(made.clone()).unwrap();
    let signal = Signal::<u32>::builder().audit(&made).build();
    signal.on(async |_| {}).disable();
    assert_eq!(made.len(), 1);
    assert!(made.records()[0].key.is_none());
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let refused = |builder: fanfare::observe::audit::AuditLogBuilder| {
        let error = builder.try_build().unwrap_err();
        (error.option(), error.value().to_owned())
    };
    assert_eq!(refused(AuditLog::builder().keep(0)).0, "keep");
    assert_eq!(refused(AuditLog::builder().keep((1 << 24) + 1)).0, "keep");
    let day = Duration::from_secs(86_400);
    let zero = AuditLog::builder().keep_for(Duration::ZERO);
    assert_eq!(refused(zero), ("keep_for", "0ns".to_owned()));
    let long = AuditLog::builder().keep_for(3_651 * day);
    assert_eq!(refused(long).0, "keep_for");
    assert!(
        AuditLog::builder()
            .keep_for(3_650 * day)
            .keep(1 << 24)
            .try_build()
            .is_ok()
    );
}

#[cfg(feature = "serde")]
#[tokio::test]
async fn a_record_is_one_line_of_json() {
    let log = AuditLog::builder().lifecycle().build();
    let signal = Signal::<u32>::builder().name("orders").audit(&log).build();
    let sub = signal.listen().key("a").on(async |_| {}).unwrap();
    acting_as("alice", || sub.disable());
    let records = log.records();
    let json = |n: usize| serde_json::to_value(&*records[n]).unwrap();
    let since_1970 = records[1]
        .at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    assert_eq!(
        json(1),
        serde_json::json!({
            "sequence": 1,
            "at": since_1970.as_secs_f64(),
            "kind": "change",
            "actor": "alice",
            "signal": "orders",
            "listener": sub.id(),
            "key": "a",
            "location": records[1].location,
            "what": "calls",
            "before": "enabled",
            "after": "disabled",
            "dispatch": null,
            "listeners": null,
        })
    );
    assert_eq!(json(0)["kind"], "lifecycle");
    assert_eq!(json(0)["listeners"], 1);
    let line = serde_json::to_string(&*records[0]).unwrap();
    assert!(!line.contains('\n'));
}
