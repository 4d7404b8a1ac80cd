//! A service that Prometheus scrapes: events that come all the time, a listener that sometimes fails and one that takes its time.
//!
//! Without an argument it serves on a free port of the loopback, asks itself once, prints some of the answer, and stops. With an address it serves until ctrl-c.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use fanfare::observe::prometheus::Endpoint;
use fanfare::{Bus, Metrics, RegisterError};
use tokio::net::TcpListener;

#[derive(Clone)]
struct OrderPlaced {
    id: u64,
}

fn shop() -> Result<Bus, RegisterError> {
    let bus = Bus::builder()
        .name("shop")
        .metrics(Metrics::Timed)
        .signal::<OrderPlaced>(|signal| signal.name("orders"))
        .build();
    let listen = bus.listen::<OrderPlaced>().key("invoice");
    listen.on(async |_| tokio::time::sleep(Duration::from_millis(5)).await)?;
    let listen = bus.listen::<OrderPlaced>().key("mail");
    listen.try_on(async |order| match order.id % 10 {
        9 => Err("the mail server is busy".into()),
        _ => Ok(()),
    })?;
    Ok(bus)
}

async fn place(bus: &Bus, orders: u64) {
    for id in 0..orders {
        // What fails is in the log and in the counters.
        let _ = bus.emit(OrderPlaced { id }).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let bus = shop()?;
    let app = Router::new().route_service("/metrics", Endpoint::new(&bus));
    if let Some(address) = std::env::args().nth(1) {
        let listener = TcpListener::bind(&address).await?;
        println!("http://{}/metrics", listener.local_addr()?);
        let orders = tokio::spawn(async move { place(&bus, u64::MAX).await });
        let stop = async {
            let _ = tokio::signal::ctrl_c().await;
        };
        axum::serve(listener, app)
            .with_graceful_shutdown(stop)
            .await?;
        orders.abort();
        return Ok(());
    }

    place(&bus, 20).await;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/metrics", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let text = reqwest::get(url).await?.text().await?;
    server.abort();
    let wanted = ["fanfare_emissions_total", "fanfare_listener_errors_total"];
    for line in text.lines() {
        if wanted.iter().any(|name| line.contains(name)) {
            println!("{line}");
        }
    }
    Ok(())
}
