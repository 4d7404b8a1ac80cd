//! A follow-up event by itself.

fn main() {
    let bus = fanfare::Bus::new();
    bus.follow(async |n: u32| n.to_string());
}
