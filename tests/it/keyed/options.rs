//! What is refused, by name.

use fanfare::{Bus, Overflow, Pool, RegisterError, Signal};

use super::{Booking, account};

fn refused(builder: fanfare::SignalBuilder<Booking>) -> String {
    builder.try_build().unwrap_err().to_string()
}

#[test]
fn what_cannot_be_had_beside_an_order_of_keys_is_refused_by_name() {
    let keyed = || Signal::<Booking>::builder().keyed_by(account);
    assert_eq!(
        refused(keyed().lanes(0)),
        "option `lanes` cannot be 0: it takes 1 to 65,536 lanes"
    );
    assert!(refused(keyed().lanes(65_537)).contains("`lanes`"));
    assert!(
        refused(keyed().pool(Pool::new(2)).lanes(4)).contains("`lanes` cannot be 4 with a pool")
    );
    assert!(refused(keyed().overflow(Overflow::DropOldest)).contains("`overflow`"));
    assert!(refused(keyed().enqueue_concurrency(2)).contains("`enqueue_concurrency`"));
    assert!(refused(Signal::builder().lanes(4)).contains("it takes `keyed_by` beside it"));
}

#[test]
fn lanes_of_a_listener_are_refused_by_name_too() {
    let signal = Signal::<Booking>::new();
    let refused = |listen: fanfare::ListenBuilder<'_, Booking>| match listen.on(async |_| {}) {
        Err(RegisterError::Option(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refused(signal.listen().lanes(4)).contains("it takes `keyed_by` beside it"));
    assert!(refused(signal.listen().keyed_by(account).lanes(0)).contains("`lanes` cannot be 0"));
    assert!(signal.is_empty());
}

#[tokio::test]
async fn a_signal_of_a_bus_is_keyed_by_its_own_options() {
    let bus = Bus::builder()
        .signal::<Booking>(|signal| signal.keyed_by(account).lanes(3))
        .build();
    assert_eq!(bus.signal::<Booking>().lanes(), Some(3));
    assert_eq!(bus.signal::<u32>().lanes(), None);
    let pool = Bus::builder()
        .pool(Pool::new(5))
        .signal::<Booking>(|signal| signal.keyed_by(account))
        .build();
    assert_eq!(pool.signal::<Booking>().lanes(), Some(5));
    assert!(pool.signal::<Booking>().resize_lanes(2).is_err());
    assert!(bus.signal::<u32>().resize_lanes(2).is_err());
}
