use fanfare::Bus;

fn main() {
    Bus::new().on(async |_: u32| {
        let cell = std::cell::Cell::new(0);
        let borrowed = &cell;
        std::future::ready(()).await;
        borrowed.set(1);
    });
}
