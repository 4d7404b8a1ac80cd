//! Whom a slow call is to be blamed on, told by real ones.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::observe::{Blame, RuntimeMonitor, SlowCall};
use fanfare::{Bus, Metrics};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::real::{quick, stall};

/// Long enough that the interval of the monitor is little of it.
const LONG: Duration = Duration::from_millis(200);

fn slow_bus() -> Bus {
    let builder = Bus::builder().metrics(Metrics::Timed);
    builder.slow_after(LONG / 2).build()
}

fn only(monitor: &RuntimeMonitor, bus: &Bus) -> (SlowCall, Blame) {
    let mut blamed = monitor.blame(bus.slow_calls());
    assert_eq!(blamed.len(), 1, "{blamed:?}");
    blamed.remove(0)
}

#[test]
fn a_listener_that_blocks_its_thread_is_told_from_a_stalled_runtime() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let monitor = quick(runtime.handle());
    runtime.block_on(async {
        let bus = slow_bus();
        bus.on_sync({
            let monitor = monitor.clone();
            // It blocks the thread until it has been seen to for long enough.
            move |_: &u32| {
                stall(&monitor, LONG);
            }
        });
        bus.emit(1_u32).await;
        let (call, blame) = only(&monitor, &bus);
        assert!(
            matches!(blame, Blame::Blocks { polled } if polled >= LONG / 2),
            "{blame:?}"
        );
        assert!(call.took() >= LONG / 2);
    });
    runtime.block_on(async {
        let bus = slow_bus();
        let (reply, replied) = oneshot::channel::<()>();
        let replied = Arc::new(Mutex::new(Some(replied)));
        bus.on(async move |_: u32| {
            let replied = replied.lock().unwrap().take().unwrap();
            replied.await.unwrap();
        });
        let other = monitor.clone();
        tokio::spawn(async move {
            // Something that is no listener blocks the runtime, and the reply waits for it.
            tokio::task::yield_now().await;
            stall(&other, LONG);
            reply.send(()).unwrap();
        });
        bus.emit(1_u32).await;
        // The monitor is told that the stall is over.
        tokio::task::yield_now().await;
        let (_, blame) = only(&monitor, &bus);
        assert!(matches!(blame, Blame::Stalled { .. }), "{blame:?}");
    });
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_waits_while_nothing_is_stalled_waits() {
    let bus = slow_bus();
    bus.on(async |_: u32| tokio::time::sleep(LONG).await);
    bus.emit(1_u32).await;
    let calls = bus.slow_calls();
    assert_eq!(calls.len(), 1);
    let blame = Blame::of(&calls[0], &[]);
    assert_eq!(blame, Blame::Waits { waited: LONG });
}
