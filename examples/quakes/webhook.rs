//! The receiver of alerts: a small HTTP server on the loopback that fails now and then, as real ones do.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;

/// Every so many alerts, one is refused when it comes first.
const REFUSES_EVERY: usize = 7;

/// The alerts that have come, by the id of their quake.
type Known = Arc<Mutex<HashSet<String>>>;

#[derive(Deserialize)]
struct Alert {
    id: String,
    place: String,
}

/// Starts the receiver in the background, on a free port.
pub async fn start() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/alerts", post(receive))
        .with_state(Known::default());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn receive(
    State(known): State<Known>,
    Json(alert): Json<Alert>,
) -> (StatusCode, &'static str) {
    let mut known = known.lock().expect("nothing panics while it counts");
    let is_new = known.insert(alert.id);
    if is_new && known.len() % REFUSES_EVERY == 0 {
        (StatusCode::SERVICE_UNAVAILABLE, "come back later")
    } else if alert.place.contains(", ") {
        (StatusCode::OK, "thank you")
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, "nobody lives there")
    }
}
