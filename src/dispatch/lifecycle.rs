//! Listeners that come and go, as callbacks see it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::SystemTime;

use super::options::Dispatch;
use crate::key::{Identity, Key};
use crate::listener::Kind;
use crate::outcome::catch;
use crate::registry::{Milestone, Move, Moves};

/// Is told of every listener that comes or goes.
pub(crate) type OnLifecycle = Arc<dyn Fn(&Lifecycle) + Send + Sync>;

/// One listener that has come or gone: which, of what signal, what happened, and how many there are then. [`on_lifecycle`](crate::SignalBuilder::on_lifecycle) sees each.
///
/// Each listener has [`Milestone::Registered`] once, and one of the others at most once, in this order. The listeners that a signal goes away with have no end of their own.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
/// use std::sync::{Arc, Mutex};
/// use fanfare::{Milestone, Signal};
///
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let sink = Arc::clone(&log);
/// let signal = Signal::<u32>::builder().name("orders").on_lifecycle(move |it| sink.lock().unwrap().push(it.clone())).build();
/// signal.listen().key("audit").once().on(async |_| {})?;
/// let _ = signal.emit(1).await;
/// let log = log.lock().unwrap();
/// assert_eq!(log[0].to_string(), "`audit` of `orders` (concurrent): registered, 1 listener");
/// assert_eq!((log[1].milestone(), log[1].key(), log[1].listeners()), (Milestone::Spent, Some("audit"), 0));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Lifecycle {
    signal: Arc<str>,
    dispatch: Dispatch,
    listener: Arc<Identity>,
    kind: Kind,
    milestone: Milestone,
    listeners: usize,
    at: SystemTime,
    actor: Option<Arc<str>>,
}

impl Lifecycle {
    /// The name of the signal. See [`Lifecycle`](crate::Lifecycle).
    pub fn signal(&self) -> &str {
        &self.signal
    }

    /// How the signal's listeners run. See [`Lifecycle`](crate::Lifecycle).
    pub fn dispatch(&self) -> Dispatch {
        self.dispatch
    }

    /// The listener's key, if it has one. See [`Lifecycle`](crate::Lifecycle).
    pub fn key(&self) -> Option<&str> {
        self.listener.key.as_ref().map(Key::as_str)
    }

    /// The listener's number; the same as `Subscription::id` gives. See [`Lifecycle`](crate::Lifecycle).
    pub fn listener_id(&self) -> u64 {
        self.listener.id
    }

    /// Where it was registered. See [`Lifecycle`](crate::Lifecycle).
    pub fn location(&self) -> &'static Location<'static> {
        self.listener.location
    }

    /// How it takes its event: [`Kind::Derived`] for what leads to a derived signal, which is a listener like any other.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened to it. See [`Lifecycle`](crate::Lifecycle).
    pub fn milestone(&self) -> Milestone {
        self.milestone
    }

    /// How many listeners the signal had then. Those of a batch come together, so that each is told with the number that there are with all of them.
    pub fn listeners(&self) -> usize {
        self.listeners
    }

    /// On whose behalf it came or went, if somebody said so. See [`acting_as`](crate::acting_as).
    pub fn actor(&self) -> Option<&str> {
        self.actor.as_deref()
    }

    /// When it happened. See [`Lifecycle`](crate::Lifecycle).
    pub fn at(&self) -> SystemTime {
        self.at
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            signal,
            dispatch,
            listener,
            milestone,
            listeners,
            ..
        } = self;
        let s = if *listeners == 1 { "" } else { "s" };
        write!(
            f,
            "{listener} of `{signal}` ({dispatch}): {milestone}, {listeners} listener{s}"
        )
    }
}

/// Tells these callbacks of each listener of a signal that comes or goes. `None` if there are none.
pub(crate) fn moves(
    signal: &Arc<str>,
    dispatch: Dispatch,
    callbacks: &[OnLifecycle],
) -> Option<Moves> {
    if callbacks.is_empty() {
        return None;
    }
    let (signal, callbacks) = (Arc::clone(signal), callbacks.to_vec());
    Some(Moves::new(move |told: Move| {
        let lifecycle = Lifecycle {
            signal: Arc::clone(&signal),
            dispatch,
            listener: told.listener,
            kind: told.kind,
            milestone: told.milestone,
            listeners: told.listeners,
            at: told.at,
            actor: told.actor,
        };
        for callback in &callbacks {
            if let Err(message) = catch(|| callback(&lifecycle)) {
                tracing::error!(%signal, %message, "an `on_lifecycle` callback panicked");
            }
        }
    }))
}
