//! What a listener may return, and where it may be registered.

use std::collections::BTreeSet;

use fanfare::{
    BoxError, Bus, Delivery, Events, IntoEvents, One, RegisterError, ReportEntry, Signal,
};

use crate::support::Log;

#[derive(Clone)]
struct Placed(u32);

#[derive(Clone)]
struct Invoice(u32);

#[derive(Clone)]
struct Mail(u32);

/// A bus that notes the events that follow, in their order.
fn noting() -> (Bus, Log<String>) {
    let (bus, log) = (Bus::new(), Log::default());
    let (invoices, mails) = (log.clone(), log.clone());
    bus.on(async move |Invoice(n)| {
        tokio::task::yield_now().await;
        invoices.push(format!("invoice {n}"));
    });
    bus.on(async move |Mail(n)| mails.push(format!("mail {n}")));
    (bus, log)
}

/// What a listener that returns this has emitted.
async fn followed<R, M>(returns: impl Fn(u32) -> R + Clone + Send + Sync + 'static) -> Vec<String>
where
    R: IntoEvents<M> + Send + 'static,
{
    let (bus, log) = noting();
    bus.follow(async move |Placed(n)| returns(n));
    assert_eq!(bus.emit(Placed(7)).await.delivered(), 1);
    log.take()
}

#[tokio::test]
async fn one_none_some_many_and_tuples_are_emitted_in_their_order() {
    assert_eq!(followed(|n| One(Invoice(n))).await, ["invoice 7"]);
    assert!(followed(|_| ()).await.is_empty());
    assert!(followed(|_| None::<Mail>).await.is_empty());
    assert_eq!(followed(|n| Some(Mail(n))).await, ["mail 7"]);
    let many = |n| vec![Mail(n), Mail(n + 1), Mail(n + 2)];
    assert_eq!(followed(many).await, ["mail 7", "mail 8", "mail 9"]);
    let two = |n| [Mail(n), Mail(n + 1)];
    assert_eq!(followed(two).await, ["mail 7", "mail 8"]);
    let both = |n| (Invoice(n), Mail(n));
    assert_eq!(followed(both).await, ["invoice 7", "mail 7"]);
    let eight = |n| {
        (
            Mail(n),
            Mail(1),
            Mail(2),
            Mail(3),
            Mail(4),
            Mail(5),
            Mail(6),
            Invoice(n),
        )
    };
    assert_eq!(followed(eight).await.len(), 8);
    let collected = |n| {
        let mut events = Events::new();
        events.push(Mail(n));
        events.add(Some(Invoice(n)));
        events
    };
    assert_eq!(followed(collected).await, ["mail 7", "invoice 7"]);
}

#[tokio::test]
async fn what_is_inside_one_inside_another_is_wrapped() {
    let mixed = |n| {
        (
            Invoice(n),
            Some(One(Mail(n))),
            vec![Some(One(Mail(n + 1))), None],
        )
    };
    assert_eq!(followed(mixed).await, ["invoice 7", "mail 7", "mail 8"]);
    // An event may be a container itself.
    let (bus, log) = noting();
    let l = log.clone();
    bus.on(async move |mails: Vec<Mail>| l.push(format!("{} mails", mails.len())));
    bus.follow(async |Placed(n)| One(vec![Mail(n), Mail(n)]));
    assert!(bus.emit(Placed(7)).await.is_ok());
    assert_eq!(log.take(), ["2 mails"]);
}

#[tokio::test]
async fn a_type_of_ones_own_says_what_it_is_made_of() {
    struct Paid(BTreeSet<u32>);

    impl IntoEvents<()> for Paid {
        fn into_events(self, events: &mut Events) {
            self.0.into_iter().for_each(|n| events.push(Mail(n)));
        }
    }

    let paid = |n| Paid(BTreeSet::from([n + 1, n]));
    assert_eq!(followed(paid).await, ["mail 7", "mail 8"]);
}

#[tokio::test]
async fn a_result_of_events_of_any_error_may_be_returned() {
    let (bus, log) = noting();
    bus.follow(async |Placed(n)| {
        if n < 9 {
            Ok(One(Mail(n)))
        } else {
            Err("too many")
        }
    });
    bus.try_follow(async |Placed(n)| {
        let n: u32 = n.to_string().parse()?;
        Ok((n < 9).then_some(Invoice(n)))
    });
    assert!(bus.emit(Placed(7)).await.is_ok());
    assert_eq!(log.take(), ["mail 7", "invoice 7"]);
    let report = bus.emit(Placed(9)).await;
    let failed: Vec<_> = report.failures().map(|f| f.cause().to_string()).collect();
    assert_eq!(failed, ["failed: too many"]);
    assert_eq!(log.len(), 0);
}

#[tokio::test]
async fn every_way_to_register_has_it() {
    let (bus, log) = noting();
    let signal = bus.signal::<Placed>();
    signal.follow(async |Placed(n)| One(Mail(n)));
    signal.try_follow(async |Placed(n)| Ok(One(Mail(n + 1))));
    let listen = || signal.listen();
    listen().follow(async |Placed(n)| One(Mail(n + 2))).unwrap();
    let listener = async |Placed(n)| Ok(Some(Mail(n + 3)));
    listen().try_follow(listener).unwrap();
    let with = || signal.listen().with_delivery();
    let listener = async |Placed(n), d: Delivery| One(Mail(n + 3 + d.attempt()));
    with().follow(listener).unwrap();
    let listener =
        async |Placed(n), d: Delivery| -> Result<_, BoxError> { Ok([Mail(n + 4 + d.attempt())]) };
    with().try_follow(listener).unwrap();
    let batch = signal.batch();
    let listener = async |Placed(n)| One(Mail(n + 6));
    batch.listen().follow(listener).unwrap();
    batch.commit().unwrap();
    assert_eq!(signal.emit(Placed(0)).await.delivered(), 7);
    let mut mails = log.take();
    mails.sort();
    assert_eq!(
        mails,
        (0..7).map(|n| format!("mail {n}")).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn the_signals_that_a_builder_configures_are_of_the_bus() {
    let log = Log::default();
    let bus = Bus::builder()
        .signal::<Placed>(|signal| signal.name("placed"))
        .build();
    let l = log.clone();
    bus.on(async move |Mail(n)| l.push(n));
    bus.follow(async |Placed(n)| One(Mail(n)));
    assert!(bus.emit(Placed(7)).await.is_ok());
    assert_eq!(log.take(), [7]);
}

#[test]
fn a_signal_of_no_bus_refuses_it() {
    let signal = Signal::<u32>::builder().name("numbers").build();
    let error = signal.listen().follow(async |n| One(n)).unwrap_err();
    let no_bus = RegisterError::NoBus {
        signal: "numbers".to_owned(),
    };
    assert_eq!(error, no_bus);
    let text = error.to_string();
    assert!(
        text.starts_with("signal `numbers` is none of a bus"),
        "{text}"
    );
    assert!(signal.is_empty());
}

#[test]
#[should_panic(expected = "signal `u32` is none of a bus")]
fn the_short_form_panics_with_that() {
    Signal::<u32>::new().follow(async |n| One(n));
}

#[tokio::test]
async fn an_event_that_nobody_has_ever_listened_to_is_counted_as_such() {
    let told = Log::default();
    let t = told.clone();
    let bus = Bus::builder()
        .dead_events(fanfare::DeadEvents::call(move |dead| {
            t.push(dead.event_type().to_owned());
        }))
        .build();
    bus.follow(async |Placed(n)| (Invoice(n), Mail(n)));
    assert_eq!(bus.emit(Placed(7)).await.delivered(), 1);
    assert_eq!(bus.unknown_events(), 2);
    let told = told.take();
    assert!(
        told[0].ends_with("::Invoice") && told[1].ends_with("::Mail"),
        "{told:?}"
    );
}

#[tokio::test]
async fn what_a_listener_of_theirs_fails_with_is_told_by_their_signal_and_no_failure_of_the_first()
{
    let told = Log::default();
    let t = told.clone();
    let bus = Bus::builder()
        .on_failure(move |failure: &ReportEntry| t.push(failure.to_string()))
        .build();
    bus.follow(async |Placed(n)| (Invoice(n), Mail(n)));
    let failing = bus.listen::<Invoice>().key("billing");
    failing.on(async |_| Err::<(), _>("no printer")).unwrap();
    bus.on(async |_: Mail| {});
    let report = bus.emit(Placed(7)).await;
    assert!(report.is_ok());
    assert_eq!(told.take(), ["`billing` failed: no printer"]);
    assert_eq!(bus.signal::<Mail>().stats().emissions(), 1);
}
