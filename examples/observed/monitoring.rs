//! What the world outside is told: metrics for Prometheus, and probes for Kubernetes.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use fanfare::Bus;
use fanfare::observe::prometheus::Endpoint;
use fanfare::observe::{HealthCheck, RuntimeMonitor};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

pub struct Monitoring {
    pub address: SocketAddr,
    pub check: HealthCheck,
    server: JoinHandle<io::Result<()>>,
}

impl Monitoring {
    /// Serves on a free port of the loopback until it is dropped.
    pub async fn start(bus: &Bus) -> io::Result<Self> {
        let monitor = RuntimeMonitor::new(Handle::current());
        let check = HealthCheck::builder(bus).monitor(&monitor).build();
        let endpoint = Endpoint::builder(bus)
            .health(&check)
            .monitor(&monitor)
            .build();
        let app = Router::new()
            .route("/live", get(live))
            .route("/ready", get(ready))
            .with_state(check.clone())
            .route_service("/metrics", endpoint);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self {
            address,
            check,
            server,
        })
    }
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn live(State(check): State<HealthCheck>) -> (StatusCode, String) {
    let health = check.health();
    let status = StatusCode::from_u16(health.liveness_status());
    (status.expect("200 or 503"), health.to_string())
}

async fn ready(State(check): State<HealthCheck>) -> (StatusCode, String) {
    let health = check.health();
    let status = StatusCode::from_u16(health.readiness_status());
    (status.expect("200 or 503"), health.to_string())
}
