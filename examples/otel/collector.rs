//! A collector of OpenTelemetry's protocol over HTTP, in this process, which decodes and keeps what it is sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// What has been received so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) traces: Vec<ExportTraceServiceRequest>,
    pub(crate) metrics: Vec<ExportMetricsServiceRequest>,
}

impl Received {
    pub(crate) fn spans(&self) -> impl Iterator<Item = &Span> {
        let resources = self.traces.iter().flat_map(|it| &it.resource_spans);
        let scopes = resources.flat_map(|it| &it.scope_spans);
        scopes.flat_map(|it| &it.spans)
    }

    pub(crate) fn metrics(&self) -> impl Iterator<Item = &Metric> {
        let resources = self.metrics.iter().flat_map(|it| &it.resource_metrics);
        let scopes = resources.flat_map(|it| &it.scope_metrics);
        scopes.flat_map(|it| &it.metrics)
    }
}

type Store = Arc<Mutex<Received>>;

/// It runs on a thread with a runtime of its own, since an exporter that blocks may block the runtime that it exports for.
pub(crate) struct Collector {
    address: SocketAddr,
    store: Store,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// Starts one on a free port.
    pub(crate) fn start() -> Self {
        let store = Store::default();
        let (stop, stopped) = oneshot::channel();
        let (tell, address) = std::sync::mpsc::channel();
        let kept = Arc::clone(&store);
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let _ = tell.send(listener.local_addr().expect("it is bound"));
                let routes = Router::new()
                    .route("/v1/traces", post(traces))
                    .route("/v1/metrics", post(metrics))
                    .with_state(kept);
                let serve = axum::serve(listener, routes);
                tokio::select! {
                    _ = stopped => {}
                    served = serve => served.expect("it serves"),
                }
            });
        });
        Self {
            address: address.recv().expect("the thread says where it listens"),
            store,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Where exporters send to, without the path of the signal.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received(&self) -> Received {
        self.store.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn traces(State(store): State<Store>, body: Bytes) -> StatusCode {
    match ExportTraceServiceRequest::decode(body) {
        Ok(request) => {
            let mut store = store.lock().expect("nobody panics with it");
            store.traces.push(request);
            StatusCode::OK
        }
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

async fn metrics(State(store): State<Store>, body: Bytes) -> StatusCode {
    match ExportMetricsServiceRequest::decode(body) {
        Ok(request) => {
            let mut store = store.lock().expect("nobody panics with it");
            store.metrics.push(request);
            StatusCode::OK
        }
        Err(_) => StatusCode::BAD_REQUEST,
    }
}
