//! An axum service whose handlers emit: a pool, errors of listeners as responses, and a shutdown that drains.
//!
//! Without an argument it serves on a free port of the loopback, sends itself a few requests, and stops. With an address it serves until ctrl-c.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fanfare::{Bus, EmitError, Pool, RegisterError};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Clone, Serialize, Deserialize)]
struct OrderPlaced {
    id: u64,
    cents: u64,
}

#[derive(Default)]
struct Warehouse {
    reserved: AtomicU64,
}

/// The bus of the service: a task a listener, at most 64 at once.
fn service_bus(warehouse: &Arc<Warehouse>) -> Result<Bus, RegisterError> {
    let bus = Bus::builder().pool(Pool::new(64)).build();
    let shelf = Arc::clone(warehouse);
    bus.listen::<OrderPlaced>()
        .key("warehouse")
        .on(async move |_| {
            tokio::time::sleep(Duration::from_millis(50)).await;
            shelf.reserved.fetch_add(1, Ordering::Relaxed);
        })?;
    bus.listen::<OrderPlaced>()
        .key("invoice")
        .try_on(async |order| {
            if order.cents == 0 {
                return Err(format!("order {} costs nothing", order.id).into());
            }
            Ok(())
        })?;
    Ok(bus)
}

fn router(bus: Bus) -> Router {
    Router::new()
        .route("/orders", post(place_order))
        .route("/health", get(health))
        .with_state(bus)
}

/// The handler: what listens decides what the client is told.
async fn place_order(
    State(bus): State<Bus>,
    Json(order): Json<OrderPlaced>,
) -> Result<StatusCode, Failed> {
    bus.emit(order).await.into_result()?;
    Ok(StatusCode::CREATED)
}

/// Everything about the listeners, as text.
async fn health(State(bus): State<Bus>) -> String {
    let lines = bus.listeners().into_iter().map(|listener| {
        let (calls, errors) = (listener.calls(), listener.errors());
        format!("{:?}: {calls} calls, {errors} errors\n", listener.key())
    });
    lines.collect()
}

/// The listeners that did not succeed, as a response: 503 if the service is closing, else 500.
struct Failed(EmitError);

impl From<EmitError> for Failed {
    fn from(error: EmitError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let status = if self.0.report().is_closed() {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        (status, self.0.to_string()).into_response()
    }
}

/// Serves until `stop` resolves; then finishes the requests under way, and drains the bus.
async fn serve(
    listener: TcpListener,
    bus: Bus,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(bus.clone()))
        .with_graceful_shutdown(stop)
        .await?;
    let left = bus.shutdown(Duration::from_secs(10)).await;
    println!("bus: {left}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let warehouse = Arc::new(Warehouse::default());
    let bus = service_bus(&warehouse)?;
    if let Some(address) = std::env::args().nth(1) {
        let listener = TcpListener::bind(address).await?;
        println!("http://{}", listener.local_addr()?);
        let stop = async {
            // Without a signal handler the service runs until it is killed.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        serve(listener, bus, stop).await?;
        return Ok(());
    }
    demonstrate(bus, &warehouse).await
}

/// Requests from outside: one that succeeds, one whose listener fails, and one that is under way when the service stops.
async fn demonstrate(bus: Bus, warehouse: &Warehouse) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let service = tokio::spawn(serve(listener, bus.clone(), async {
        let _ = stopped.await;
    }));

    let client = reqwest::Client::new();
    let order = |id, cents| {
        let request = client.post(format!("{url}/orders"));
        request.json(&OrderPlaced { id, cents }).send()
    };

    let answer = order(1, 4_200).await?;
    println!("order 1: {}", answer.status());
    assert_eq!(answer.status(), 201);

    let answer = order(2, 0).await?;
    let status = answer.status();
    let text = answer.text().await?;
    println!("order 2: {status}: {text}");
    assert_eq!(status, 500);
    assert!(text.contains("`invoice` failed: order 2 costs nothing"));

    let health = client.get(format!("{url}/health")).send().await?;
    print!("{}", health.text().await?);

    let under_way = tokio::spawn(order(3, 100));
    while bus
        .listeners()
        .iter()
        .all(|listener| listener.running() == 0)
    {
        tokio::task::yield_now().await;
    }
    stop.send(()).map_err(|()| "the service has ended")?;
    let answer = under_way.await??;
    println!("order 3, under way at shutdown: {}", answer.status());
    assert_eq!(answer.status(), 201);

    service.await??;
    assert_eq!(warehouse.reserved.load(Ordering::Relaxed), 3);
    assert!(bus.emit(OrderPlaced { id: 4, cents: 1 }).await.is_closed());
    Ok(())
}
