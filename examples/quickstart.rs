//! A bus, two listeners, one event.

use fanfare::Bus;

#[derive(Clone)]
struct OrderPlaced {
    id: u64,
}

#[tokio::main]
async fn main() -> Result<(), fanfare::EmitError> {
    let bus = Bus::new();
    bus.on(async |order: OrderPlaced| println!("order {} is on its way", order.id));
    bus.on_sync(|order: &OrderPlaced| println!("order {} is counted", order.id));

    let report = bus.emit(OrderPlaced { id: 7 }).await.into_result()?;
    println!("{report}");
    Ok(())
}
