//! Panics behind layers: of the listener, and of what it leaves behind.

use std::time::Duration;

use fanfare::layer::{DeadLetter, DeadLetters, Retry};
use fanfare::{Delivery, Outcome, Signal};

const SECOND: Duration = Duration::from_secs(1);

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "in the drop");
    }
}

/// A signal whose listener fails in its way at the first attempt, and what came of it: the report, the attempts, the letters.
async fn attempts<Fut>(
    listener: impl Fn(Delivery) -> Fut + Clone + Send + Sync + 'static,
) -> (String, Vec<u32>)
where
    Fut: Future<Output: fanfare::IntoOutcome> + Send + 'static,
{
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::new();
    let listen = signal
        .listen()
        .key("db")
        .timeout(SECOND)
        .dead_letter(DeadLetter::keep(&letters));
    let listen = listen.retry(Retry::constant(SECOND).retry_panics().max_attempts(2));
    listen
        .with_delivery()
        .on(move |_, delivery| listener(delivery))
        .unwrap();
    let report = signal.emit(1).await;
    assert_eq!(report.listeners(), 1);
    let text = report.entries().first().map(ToString::to_string);
    let letters = letters.letters();
    (
        text.unwrap_or_default(),
        letters
            .iter()
            .map(fanfare::layer::Letter::attempts)
            .collect(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drop_of_an_attempt_is_that_attempts_alone() {
    let given_up = async |delivery: Delivery| {
        let bomb = (delivery.attempt() == 1).then(|| Bomb);
        if bomb.is_some() {
            std::future::pending::<()>().await;
        }
        drop(bomb);
    };
    assert_eq!(attempts(given_up).await, (String::new(), vec![]));

    let each_time = async |_| {
        let _bomb = Bomb;
        std::future::pending::<()>().await;
    };
    assert_eq!(
        attempts(each_time).await,
        ("`db` timed out after 1s".to_owned(), vec![2])
    );
}

/// A future that ends as it is told, and panics when it is dropped.
struct Ends(Result<(), &'static str>, Bomb);

impl Future for Ends {
    type Output = Result<(), &'static str>;

    fn poll(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::task::Poll::Ready(self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drop_of_what_has_ended_makes_a_panic_of_a_success_and_leaves_a_failure() {
    let succeeds = attempts(|_| Ends(Ok(()), Bomb)).await;
    assert_eq!(succeeds, ("`db` panicked: in the drop".to_owned(), vec![2]));
    let fails = attempts(|_| Ends(Err("down"), Bomb)).await;
    assert_eq!(fails, ("`db` failed: down".to_owned(), vec![2]));
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_closure_of_the_clone_and_of_the_future_are_one() {
    #[derive(Debug)]
    struct Event(bool);
    impl Clone for Event {
        fn clone(&self) -> Self {
            assert!(self.0, "in the clone");
            Self(self.0)
        }
    }
    let letters = DeadLetters::new(10);
    let signal = Signal::<Event>::builder()
        .dead_letter(DeadLetter::keep(&letters))
        .build();
    signal.on(|_| -> std::future::Ready<()> { panic!("in the closure") });
    signal.on(async |_| panic!("in the future"));
    assert_eq!(signal.emit(Event(true)).await.count(Outcome::Panicked), 2);
    assert_eq!(signal.emit(Event(false)).await.count(Outcome::Panicked), 2);
    let messages: Vec<_> = letters
        .letters()
        .iter()
        .map(|letter| letter.cause().to_string())
        .collect();
    let first = ["panicked: in the closure", "panicked: in the future"];
    assert_eq!(messages[..2], first);
    assert_eq!(messages[2..], ["panicked: in the clone"; 2]);
}
