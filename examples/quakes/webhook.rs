//! The receiver of alerts: a small HTTP server on the loopback that fails now and then, as real ones do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;

/// Every so many requests, one is refused.
const REFUSES_EVERY: u64 = 7;

/// Starts the receiver in the background, on a free port.
pub async fn start() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let requests = Arc::new(AtomicU64::new(0));
    let router = Router::new()
        .route("/alerts", post(receive))
        .with_state(requests);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn receive(State(requests): State<Arc<AtomicU64>>) -> (StatusCode, &'static str) {
    let request = 1 + requests.fetch_add(1, Ordering::Relaxed);
    if request % REFUSES_EVERY == 0 {
        (StatusCode::SERVICE_UNAVAILABLE, "come back later")
    } else {
        (StatusCode::OK, "thank you")
    }
}
