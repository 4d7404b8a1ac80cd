use fanfare::Bus;

struct Db;

fn main() {
    let db = Db;
    Bus::new().on(async move |_: u32| {
        let _ = &db;
    });
}
