//! What a check says, for people.

use fanfare::Bus;
use tokio::time::advance;

use super::{MINUTE, SECOND, check};

#[tokio::test(start_paused = true)]
async fn each_reason_has_a_line_the_worst_first_with_its_numbers_and_what_to_do() {
    let builder = Bus::builder().on_failure(|_| {});
    let bus = builder.signal::<u32>(|s| s.name("orders")).build();
    let check = check(&bus).build();
    let listen = bus.listen::<u32>().key("mail");
    listen.try_on(async |_| Err("no".into())).unwrap();
    check.health();
    advance(MINUTE).await;
    let _ = bus.emit(1_u32).await;
    let _ = bus.shutdown(SECOND).await;
    assert_eq!(
        check.health().to_string(),
        "live, not ready; over the last 60s\n\
         not ready: the bus is shut down (nothing: it is being shut down)\n\
         degraded: 1 of 1 calls of listener `mail` of `orders` failed (read the listener's last error)\n\
         fails most: `mail` of `orders`: 1 of 1 failed, 0 held\n"
    );
}
