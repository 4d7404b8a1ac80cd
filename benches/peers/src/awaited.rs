//! Awaited fan-out: when an emission is ready, all of its listeners are done. All these crates and idioms promise that much, and then differ:
//!
//! - Fanfare isolates panics, and reports what each listener did.
//! - `async-event-emitter` runs the listeners concurrently by `join_all`, without isolation or report. The event goes to each through `bincode`.
//! - `mod-events` awaits one listener after the other, isolates panics, and reports the errors.
//! - `join_all` over boxed futures: no isolation, no report, a list that cannot change.
//! - `JoinSet`, a task a listener: isolation by tokio, no report, a list that cannot change.

use std::any::Any;
use std::sync::Arc;

use async_event_emitter::AsyncEventEmitter;
use fanfare::{Dispatch, Signal};
use futures::future::{BoxFuture, join_all};
use mod_events::EventDispatcher;
use tokio::task::JoinSet;

use crate::case::{Case, forever};
use crate::count::{Tick, count, listen};

pub(crate) const CONCURRENT: &str = "**fanfare**, `Concurrent`";
pub(crate) const SYNC: &str = "**fanfare**, `on_sync`";

pub(crate) fn cases(n: usize) -> Vec<Case> {
    let concurrent = signal(n, Dispatch::Concurrent);
    let sequential = signal(n, Dispatch::Sequential);
    let emitter = async_event_emitter(n);
    let dispatcher = mod_events(n);
    let boxed = forever(boxed(n));
    vec![
        Case::new(CONCURRENT, n, || concurrent.emit(Tick::hidden())),
        Case::new("**fanfare**, `Sequential`", n, || {
            sequential.emit(Tick::hidden())
        }),
        Case::new("`async-event-emitter`", n, || async {
            let result = emitter.emit("tick", Tick::hidden()).await;
            result.expect("a tick can be put into bytes");
        }),
        // Its future holds a `&dyn Any`, and so is not `Send`.
        Case::in_place("`mod-events`", n, || async {
            let result = dispatcher.dispatch_async(Tick::hidden()).await;
            debug_assert!(result.all_succeeded());
        }),
        Case::new("`join_all` of boxed futures", n, || {
            joined(boxed, Tick::hidden())
        }),
        Case::new("`JoinSet`, a task a listener", n, || {
            join_set(boxed, Tick::hidden())
        }),
    ]
}

/// What is compared with the synchronous emit of another language.
pub(crate) fn sync(n: usize) -> Vec<Case> {
    let signal = forever(Signal::<Tick>::builder().max_listeners(n).build());
    (0..n).for_each(|listener| drop(signal.on_sync(move |tick| count(listener, *tick))));
    vec![Case::new(SYNC, n, || signal.emit(Tick::hidden()))]
}

fn signal(n: usize, dispatch: Dispatch) -> &'static Signal<Tick> {
    let builder = Signal::builder().dispatch(dispatch).max_listeners(n);
    let signal = forever(builder.build());
    (0..n).for_each(|listener| drop(signal.on(move |tick| listen(listener, tick))));
    signal
}

fn async_event_emitter(n: usize) -> &'static AsyncEventEmitter {
    let emitter = forever(AsyncEventEmitter::new());
    for listener in 0..n {
        emitter.on("tick", move |tick| listen(listener, tick));
    }
    emitter
}

impl mod_events::Event for Tick {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn mod_events(n: usize) -> &'static EventDispatcher {
    let dispatcher = forever(EventDispatcher::new());
    for listener in 0..n {
        dispatcher.subscribe_async(move |tick: &Tick| {
            let call = listen(listener, *tick);
            async move {
                call.await;
                Ok(())
            }
        });
    }
    dispatcher
}

type Boxed = Arc<dyn Fn(Tick) -> BoxFuture<'static, ()> + Send + Sync>;

fn boxed(n: usize) -> Vec<Boxed> {
    let boxed = |listener| -> Boxed { Arc::new(move |tick| Box::pin(listen(listener, tick))) };
    (0..n).map(boxed).collect()
}

async fn joined(listeners: &[Boxed], tick: Tick) {
    join_all(listeners.iter().map(|listener| listener(tick))).await;
}

async fn join_set(listeners: &[Boxed], tick: Tick) {
    let mut tasks = JoinSet::new();
    for listener in listeners {
        tasks.spawn(listener(tick));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no listener panics");
    }
}
