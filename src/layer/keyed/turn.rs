//! The turn of a key, around all attempts of a call.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower::ServiceExt as _;
use tower::util::Oneshot;
use tower_layer::Layer;
use tower_service::Service;

use crate::context::{WithoutPermit, has_turn, in_turn, within, without_permit};
use crate::error::BoxError;
use crate::event::{Delivery, Held, Turning};
use crate::keyed::{Fingerprint, KeyBy, Lines, Seeds, Turn};
use crate::layer::ending::poll_to_end;
use crate::outcome::{CallError, Rejection};

/// The turns of one listener's calls.
pub(in crate::layer) struct Turns(Arc<State>);

struct State {
    key: KeyBy,
    seeds: Seeds,
    lines: Arc<Lines<Infallible>>,
}

impl Turns {
    pub(super) fn new(key: KeyBy) -> Self {
        Self(Arc::new(State {
            key,
            seeds: Seeds::default(),
            lines: Lines::new(),
        }))
    }
}

impl<S> Layer<S> for Turns {
    type Service = TurnService<S>;

    fn layer(&self, inner: S) -> TurnService<S> {
        TurnService {
            inner,
            state: Arc::clone(&self.0),
        }
    }
}

/// Makes each call wait for the turn of its event's key.
#[derive(Clone)]
pub(in crate::layer) struct TurnService<S> {
    inner: S,
    state: Arc<State>,
}

impl<S> Service<Delivery> for TurnService<S>
where
    S: Service<Delivery, Response = ()> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = ();
    type Error = BoxError;
    type Future = TurnFuture<S>;

    /// Ready at once: a call waits for its turn.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> TurnFuture<S> {
        let state = &self.state;
        let key = state.key.find(&delivery, &state.seeds);
        let own = key.filter(|key| within(|outer| has_turn(outer, key.bits())));
        let wait = match (key, own) {
            (_, Some(_)) => Wait::Refused,
            (None, None) => Wait::Over(None),
            (Some(key), None) => Wait::New(state.lines.turn(key)),
        };
        TurnFuture {
            call: None,
            wait,
            start: Some((self.inner.clone(), delivery)),
        }
    }
}

/// How a call comes to its turn.
enum Wait {
    /// Not polled yet.
    New(Turn<Infallible>),
    /// Behind others of its key.
    InLine(WithoutPermit<InLine>),
    /// It is its turn, or it has no key.
    Over(Option<(Fingerprint, Held)>),
    /// It is a call of the listener that has the turn.
    Refused,
}

/// Ready with the turn when it is this call's.
struct InLine(Option<Turn<Infallible>>);

impl Future for InLine {
    type Output = Turn<Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn<Infallible>> {
        let turn = self
            .0
            .as_mut()
            .expect("it is not polled after it was ready");
        ready!(turn.poll(cx));
        Poll::Ready(self.0.take().expect("looked at above"))
    }
}

impl Wait {
    /// Ready when the call may be made.
    fn poll(&mut self, cx: &mut Context<'_>, delivery: &Delivery) -> Poll<Result<(), BoxError>> {
        if let Self::New(turn) = self {
            let first = turn.poll(cx);
            let Self::New(turn) = std::mem::replace(self, Self::Over(None)) else {
                unreachable!("looked at above");
            };
            *self = match first {
                Poll::Ready(()) => Self::came(turn, delivery),
                // Whoever has the turn may need the permit of the call that waits here.
                Poll::Pending => Self::InLine(without_permit(InLine(Some(turn)))),
            };
        }
        if let Self::InLine(wait) = self {
            let turn = ready!(Pin::new(wait).poll(cx));
            *self = Self::came(turn, delivery);
        }
        Poll::Ready(match self {
            Self::Refused => Err(CallError::rejected(Rejection::WouldDeadlock).into()),
            _ => Ok(()),
        })
    }

    fn came(turn: Turn<Infallible>, delivery: &Delivery) -> Self {
        let key = turn.key();
        let held: Held = Arc::new(turn);
        // A thread that outlives the call keeps the turn.
        delivery.call().set_turn(Turning::new(key.bits(), &held));
        Self::Over(Some((key, held)))
    }
}

pin_project! {
    /// Field order is drop order: the call first, then the turn.
    pub(in crate::layer) struct TurnFuture<S>
    where
        S: Service<Delivery>,
    {
        #[pin]
        call: Option<Oneshot<S, Delivery>>,
        wait: Wait,
        start: Option<(S, Delivery)>,
    }
}

impl<S> Future for TurnFuture<S>
where
    S: Service<Delivery, Response = ()>,
    S::Error: Into<BoxError>,
{
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some((_, delivery)) = this.start {
            if let Err(refused) = ready!(this.wait.poll(cx, delivery)) {
                return Poll::Ready(Err(refused));
            }
            let (service, delivery) = this.start.take().expect("looked at above");
            this.call.set(Some(service.oneshot(delivery)));
        }
        match &this.wait {
            Wait::Over(Some((key, _))) => in_turn(key.bits(), || poll_to_end(this.call, cx)),
            _ => poll_to_end(this.call, cx),
        }
    }
}
