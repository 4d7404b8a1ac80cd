use fanfare::Signal;
use std::rc::Rc;

fn main() {
    Signal::<u32>::new().on(async |n| {
        let shared = Rc::new(n);
        std::future::ready(()).await;
        println!("{shared}");
    });
}
