//! A listener behind one pointer, with the layers that are around it already.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use crate::context::without_permit;
use crate::error::BoxError;
use crate::event::Delivery;

/// The future of a [`BoxListener`].
pub type BoxFuture = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A listener with the layers that are around it already: the service that a layer of [`layer`](crate::ListenBuilder::layer) is given.
///
/// Cloning it costs a reference count. The readiness of a layer of yours passes through it: a `LoadShed` around a `ConcurrencyLimit` sees that it is full. Fanfare's own layers
/// are always ready; they wait inside the call.
pub struct BoxListener {
    shared: Arc<dyn Shared>,
    /// The clone that is made ready and called, where readiness means anything.
    own: Option<Box<dyn Own>>,
}

/// What the clones of a listener have in common.
trait Shared: Send + Sync {
    /// A clone to make ready, or `None` if there is nothing to wait for.
    fn own(&self) -> Option<Box<dyn Own>>;

    /// Calls what needs not be made ready.
    fn call(&self, delivery: Delivery) -> BoxFuture;
}

trait Own: Send + Sync {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>>;
    fn call(&mut self, delivery: Delivery) -> BoxFuture;
}

impl BoxListener {
    /// A service that is always ready.
    pub(crate) fn ready<S>(service: S) -> Self
    where
        S: Service<Delivery, Response = (), Error = BoxError> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self {
            shared: Arc::new(Ready(service)),
            own: None,
        }
    }

    /// Any service.
    pub(crate) fn of<S>(service: S) -> Self
    where
        S: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self {
            shared: Arc::new(Pressed(service)),
            own: None,
        }
    }

    /// A service that cannot be cloned: one call at a time makes it ready and calls it; the calls themselves overlap.
    pub(crate) fn exclusive<S>(service: S) -> Self
    where
        S: Service<Delivery, Response = ()> + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self::ready(Exclusive(Arc::new(tokio::sync::Mutex::new(service))))
    }
}

impl Clone for BoxListener {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            own: None,
        }
    }
}

impl Service<Delivery> for BoxListener {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.own.is_none() {
            self.own = self.shared.own();
        }
        match &mut self.own {
            Some(own) => own.poll_ready(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// # Panics
    ///
    /// If it was not made ready, as the contract of `tower` has it, where the layers in it panic then.
    fn call(&mut self, delivery: Delivery) -> BoxFuture {
        if self.own.is_none() {
            self.own = self.shared.own();
        }
        match &mut self.own {
            Some(own) => own.call(delivery),
            None => self.shared.call(delivery),
        }
    }
}

impl fmt::Debug for BoxListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxListener").finish_non_exhaustive()
    }
}

struct Ready<S>(S);

impl<S> Shared for Ready<S>
where
    S: Service<Delivery, Response = (), Error = BoxError> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    fn own(&self) -> Option<Box<dyn Own>> {
        None
    }

    fn call(&self, delivery: Delivery) -> BoxFuture {
        Box::pin(self.0.clone().call(delivery))
    }
}

/// The lock is tokio's, since it is held while the service becomes ready: whoever waits for it is served in turn.
struct Exclusive<S>(Arc<tokio::sync::Mutex<S>>);

impl<S> Clone for Exclusive<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Service<Delivery> for Exclusive<S>
where
    S: Service<Delivery, Response = ()> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> BoxFuture {
        let service = Arc::clone(&self.0);
        Box::pin(async move {
            // The wait for its turn and for readiness can be long.
            let future = without_permit(async move {
                let mut service = service.lock().await;
                let ready = poll_fn(|cx| service.poll_ready(cx).map_err(Into::into));
                let ready: Result<(), BoxError> = ready.await;
                ready.map(|()| service.call(delivery))
            });
            let future = future.await?;
            future.await.map_err(Into::into)
        })
    }
}

struct Pressed<S>(S);

impl<S> Shared for Pressed<S>
where
    S: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    fn own(&self) -> Option<Box<dyn Own>> {
        Some(Box::new(Pressed(self.0.clone())))
    }

    fn call(&self, _: Delivery) -> BoxFuture {
        unreachable!("it has clones of its own, to be made ready")
    }
}

impl<S> Own for Pressed<S>
where
    S: Service<Delivery, Response = ()> + Send + Sync,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, delivery: Delivery) -> BoxFuture {
        let future = self.0.call(delivery);
        Box::pin(async { future.await.map_err(Into::into) })
    }
}
