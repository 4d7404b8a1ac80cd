//! Structured logs: a JSON object a line, each with the correlation id of what it is about.
//!
//! `cargo run --example json_logs`, for one order: `cargo run --example json_logs | jq 'select(.span.correlation == "order-7")'`.

use std::time::Duration;

use fanfare::layer::{Retry, Trace};
use fanfare::{BoxError, Bus, Delivery};
use tracing_subscriber::EnvFilter;

#[derive(Clone)]
struct OrderPlaced {
    total: u32,
}

#[derive(Clone)]
struct ParcelPacked;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(EnvFilter::new("fanfare=debug,json_logs=info"))
        .init();
    let bus = Bus::builder().name("shop").trace(Trace::info()).build();
    listen(&bus)?;
    for (total, id) in [(120, "order-7"), (0, "order-8")] {
        let _ = bus.emit(OrderPlaced { total }).correlation_id(id).await;
    }
    Ok(())
}

fn listen(bus: &Bus) -> Result<(), fanfare::RegisterError> {
    let charges = async |order: OrderPlaced, delivery: Delivery| -> Result<(), BoxError> {
        match (order.total, delivery.attempt()) {
            (0, _) => Err("nothing to charge".into()),
            (_, 1) => Err("the bank is busy".into()),
            (total, _) => {
                tracing::info!(total, "charged");
                Ok(())
            }
        }
    };
    let retry = Retry::constant(Duration::from_millis(5)).max_attempts(2);
    let charge = bus.listen().key("charge").retry(retry);
    charge.with_delivery().try_on(charges)?;

    let weak = bus.downgrade();
    let packs = async move |_: OrderPlaced| {
        if let Some(bus) = weak.upgrade() {
            let _ = bus.emit(ParcelPacked).await;
        }
    };
    bus.listen().key("pack").on(packs)?;

    // It knows nothing of the order; the line is in its span all the same.
    let ship = bus.listen::<ParcelPacked>().key("ship");
    ship.on(async |_| tracing::info!("shipped"))?;
    Ok(())
}
