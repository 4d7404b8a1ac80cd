//! What answers a scrape.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{ACCEPT, ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tower_service::Service;

use super::bounds::Bounds;
use super::text::Text;
use super::{EndpointBuilder, Format};
use crate::bus::Bus;
use crate::observe::collect::{Places, collect_in};
use crate::observe::{HealthCheck, RuntimeMonitor, Snapshot, collect_all, health, monitor};
use crate::sync::Mutex;

/// What Prometheus scrapes of a bus, or of several: a text, and a service that answers with it. See [the module](crate::observe::prometheus).
///
/// As a service it answers `GET` and `HEAD`, in the [format](Format) that the request accepts, and anything else with 405. It is cheap to clone, and keeps its buses.
#[derive(Clone)]
pub struct Endpoint {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) buses: Vec<Bus>,
    pub(super) checks: Vec<HealthCheck>,
    pub(super) monitors: Vec<RuntimeMonitor>,
    pub(super) bounds: Bounds,
    pub(super) max_listeners: usize,
    /// Of the scrape before.
    pub(super) places: Mutex<Places>,
}

impl Endpoint {
    /// Tells of one bus, with the default options. See [`Endpoint`](crate::observe::prometheus::Endpoint).
    pub fn new(bus: &Bus) -> Self {
        Self::builder(bus).build()
    }

    /// Starts one with options.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fanfare::Bus;
    /// use fanfare::observe::prometheus::{Endpoint, Format};
    ///
    /// let (shop, mail) = (Bus::builder().name("shop").build(), Bus::builder().name("mail").build());
    /// let endpoint = Endpoint::builder(&shop)
    ///     .bus(&mail)
    ///     .buckets([1, 10, 100, 1_000].map(Duration::from_millis))
    ///     .max_listeners(200)
    ///     .build();
    /// assert!(endpoint.text(Format::OpenMetrics).contains(r#"fanfare_bus_closed{bus="mail"} 0"#));
    ///
    /// let falling = Endpoint::builder(&shop).buckets([2, 1].map(Duration::from_millis));
    /// assert_eq!(falling.try_build().unwrap_err().to_string(), "option `buckets` cannot be 2ms before 1ms: it takes bounds that rise");
    /// ```
    pub fn builder(bus: &Bus) -> EndpointBuilder {
        EndpointBuilder::new(bus)
    }

    pub(super) fn with(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Everything, as it is now. See [`Endpoint`](crate::observe::prometheus::Endpoint).
    pub fn text(&self, format: Format) -> String {
        let shared = &self.shared;
        let snapshots: Vec<Snapshot> = shared.buses.iter().map(Bus::snapshot).collect();
        let checks = shared.checks.iter();
        let healths: Vec<_> = checks.map(HealthCheck::health).collect();
        let monitors = shared.monitors.iter();
        let readings: Vec<_> = monitors.map(RuntimeMonitor::reading).collect();
        let mut text = Text::new(format, &shared.bounds, shared.max_listeners);
        collect_in(&snapshots, &mut shared.places.lock(), &mut text);
        health::collect_all(&healths, &mut text);
        monitor::collect_all(&readings, &mut text);
        text.finish()
    }

    /// What these snapshots say, whichever bus they are of: for a snapshot that is exported in other ways too. See [`Endpoint`](crate::observe::prometheus::Endpoint).
    pub fn text_of(&self, snapshots: &[Snapshot], format: Format) -> String {
        let mut text = Text::new(format, &self.shared.bounds, self.shared.max_listeners);
        collect_all(snapshots, &mut text);
        text.finish()
    }

    fn answer(&self, method: &Method, headers: &HeaderMap) -> Response<String> {
        if method != Method::GET && method != Method::HEAD {
            let mut response = Response::new("only GET and HEAD are answered here\n".to_owned());
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            return response;
        }
        let accept = headers.get_all(ACCEPT).into_iter();
        let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
        let format = Format::accepted(&accept.join(","));
        let mut response = Response::new(self.text(format));
        let length = HeaderValue::from(response.body().len());
        if method == Method::HEAD {
            response.body_mut().clear();
        }
        let kind = HeaderValue::from_static(format.content_type());
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response.headers_mut().insert(CONTENT_LENGTH, length);
        response
    }
}

impl<B> Service<Request<B>> for Endpoint {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.method(), request.headers())))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("buses", &self.shared.buses)
            .field("max_listeners", &self.shared.max_listeners)
            .finish_non_exhaustive()
    }
}
