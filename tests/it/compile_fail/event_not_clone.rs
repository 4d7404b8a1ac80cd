use fanfare::Bus;

struct OrderPlaced;

fn main() {
    Bus::new().on_sync(|_: &OrderPlaced| {});
}
