use std::time::Duration;

use fanfare::Signal;
use tower::limit::RateLimitLayer;

fn main() {
    let signal = Signal::<u32>::new();
    let rate = RateLimitLayer::new(5, Duration::from_secs(1));
    let _ = signal.listen().layer(rate).on(async |_| {});
}
