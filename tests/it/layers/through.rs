//! A thousand deliveries at once through somebody else's layer.

use fanfare::layer::{BoxListener, Place};
use fanfare::{BoxError, Delivery, Outcome, Report};
use tower::{Layer, Service};

use super::probe::{Probe, Seen, count, emit_each};
use crate::support::Setup;

pub(crate) const MANY: u32 = 1_000;

/// What a listener may be behind: a layer whose service is one in its turn, as `layer_at` asks for.
pub(crate) trait Around<S>:
    Layer<
        S,
        Service: Service<Delivery, Response = (), Error: Into<BoxError>, Future: Send + 'static>
                     + Clone
                     + Send
                     + Sync
                     + 'static,
    > + Send
    + Sync
    + 'static
{
}

impl<S, L> Around<S> for L where
    L: Layer<
            S,
            Service: Service<
                Delivery,
                Response = (),
                Error: Into<BoxError>,
                Future: Send + 'static,
            > + Clone
                         + Send
                         + Sync
                         + 'static,
        > + Send
        + Sync
        + 'static
{
}

/// What came of so many events at once.
pub(crate) struct Run {
    pub(crate) reports: Vec<Report>,
    pub(crate) seen: Seen,
    pub(crate) name: String,
}

impl Run {
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        count(&self.reports, outcome)
    }

    /// How many failed with this type of error.
    pub(crate) fn failures<E: std::error::Error + Send + Sync + 'static>(&self) -> usize {
        let entries = self.reports.iter().flat_map(Report::entries);
        entries
            .filter_map(|entry| entry.cause().error()?.downcast_ref::<E>())
            .count()
    }
}

/// Emits so many events at once into a probe behind a layer: as one service, and as a layer at each of these places in our own stack.
pub(crate) async fn through<L>(
    setup: Setup,
    layer: impl Fn() -> L,
    probe: impl Fn() -> Probe,
) -> Vec<Run>
where
    L: Around<Probe> + Around<BoxListener>,
{
    let mut runs = Vec::new();
    for place in [
        None,
        Some(Place::Trace),
        Some(Place::Retry),
        Some(Place::Listener),
    ] {
        let (signal, probe) = (setup.builder::<u32>().build(), probe());
        let seen = probe.seen();
        match place {
            None => signal.service(layer().layer(probe)),
            Some(place) => {
                let listen = signal.listen().layer_at(place, layer());
                listen.service(probe).unwrap()
            }
        };
        let reports = emit_each(&signal, MANY).await;
        assert_eq!(seen.gauge().now(), 0);
        let name = format!("{place:?}, {setup:?}");
        runs.push(Run {
            reports,
            seen,
            name,
        });
    }
    runs
}
