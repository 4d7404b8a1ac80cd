//! What a check says, for machines.

use fanfare::Bus;
use fanfare::observe::RuntimeMonitor;
use serde_json::{Value, json, to_value};
use tokio::runtime::Handle;

use super::{SECOND, check};

#[tokio::test(start_paused = true)]
async fn a_health_is_json_with_words_and_numbers() {
    let builder = Bus::builder().on_failure(|_| {});
    let bus = builder.signal::<u32>(|s| s.name("orders")).build();
    let check = check(&bus).build();
    let listen = bus.listen::<u32>().key("mail");
    listen.try_on(async |_| Err("no".into())).unwrap();
    let _ = bus.emit(1_u32).await;
    let _ = bus.shutdown(SECOND).await;
    let health = to_value(check.health()).unwrap();
    assert_eq!(
        (&health["live"], &health["ready"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(health["bus"], "bus");
    assert!(health["taken_at"].as_f64().unwrap() > 1e9);
    assert_eq!(health["window_seconds"], Value::Null);
    let failing = json!({
        "severity": "degraded",
        "text": "1 of 1 calls of listener `mail` of `orders` failed",
        "advice": "read the listener's last error",
        "reason": "failing",
        "signal": "orders",
        "listener": "mail",
        "failed": 1,
        "calls": 1,
    });
    assert_eq!(health["reasons"][0]["reason"], "closed");
    assert_eq!(health["reasons"][1], failing);
    let worst = &health["worst"]["failing"][0];
    assert_eq!(
        (&worst["failed"], &worst["p99_seconds"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(health["alive_tasks"], 0);
}

#[tokio::test]
async fn a_reading_is_json() {
    let monitor = RuntimeMonitor::new(Handle::current());
    let mut reading = monitor.reading();
    while reading.delays.is_empty() {
        tokio::task::yield_now().await;
        reading = monitor.reading();
    }
    let reading = to_value(reading).unwrap();
    assert_eq!(
        (&reading["workers"], &reading["ended"]),
        (&json!(1), &json!(false))
    );
    assert!(reading["delays"]["p99_seconds"].as_f64().is_some());
    assert!(reading["busy_time_seconds"].as_f64().is_some());
}
