use fanfare::Signal;

#[derive(Clone)]
struct Placed;

#[derive(Clone)]
struct Paid;

fn main() {
    let placed = Signal::<Placed>::new();
    placed.on(async |_: Paid| {});
}
