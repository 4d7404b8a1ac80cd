//! The listener that sends, and all that stands around it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare::layer::{
    BreakerHandle, CircuitBreaker, Concurrency, ConcurrencyHandle, DeadLetter, DeadLetters,
    Decision, Letter, RateLimit, RateLimitHandle, Retry, RetryBudget,
};
use fanfare::{BoxError, Bus, RegisterError};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode};

use crate::hook::{Body, Hook};

/// How many requests a host gets at once.
pub const AT_ONCE: usize = 4;

/// What the table asks the layers at the end.
pub struct Sender {
    pub letters: DeadLetters,
    pub budget: RetryBudget,
    pub rate: RateLimitHandle,
    pub concurrency: ConcurrencyHandle,
    pub breakers: BreakerHandle,
    /// Requests that were begun.
    pub requests: Arc<AtomicU64>,
}

/// Registers the listener.
pub fn register(bus: &Bus, seed: u64) -> Result<Sender, RegisterError> {
    let letters = DeadLetters::new(10_000);
    // As many retries as calls, and twenty a second: no storm, however much is down.
    let budget = RetryBudget::new(1.0).per_second(20.0);
    let retry = Retry::exponential()
        .first(Duration::from_millis(20))
        .most(Duration::from_millis(200))
        .max_attempts(6)
        .seed(seed)
        .budget(budget.clone());
    let rate = RateLimit::per_second(200).burst(20).per_key(host);
    let concurrency = Concurrency::new(AT_ONCE).per_key(host);
    let breaker = CircuitBreaker::new()
        .window_calls(20)
        .min_calls(10)
        .failure_rate(0.5)
        .open_for(Duration::from_millis(200))
        .probes(1)
        // A host that says what to do is well.
        .failure_if(|error| Decision::of(&**error).is_none())
        .per_key(host);
    let requests = Arc::new(AtomicU64::new(0));
    let sender = Sender {
        letters: letters.clone(),
        budget,
        rate: rate.handle(),
        concurrency: concurrency.handle(),
        breakers: breaker.handle(),
        requests: Arc::clone(&requests),
    };

    // The loopback needs no proxy.
    let client = Client::builder().no_proxy().build();
    let client = client.expect("it has no options that can be wrong");
    // In the order in which they stand, whatever the order here: dead letter outermost, timeout innermost.
    bus.listen::<Hook>()
        .key("webhook")
        .dead_letter(DeadLetter::keep(&letters))
        .deadline(Duration::from_secs(10))
        .retry(retry)
        .rate_limit(rate)
        .concurrency(concurrency)
        .circuit_breaker(breaker)
        .timeout(Duration::from_millis(300))
        .try_on(async move |hook| {
            requests.fetch_add(1, Ordering::Relaxed);
            let request = client.post(&hook.url).json(&Body { id: hook.id });
            answer(&request.send().await?)
        })?;
    Ok(sender)
}

/// What limits and breakers are kept for.
fn host(hook: &Hook) -> &'static str {
    hook.host
}

/// A host has answered, and not with a success.
#[derive(Debug)]
pub enum Refused {
    /// It names the time after which it wants to be asked again.
    TooMany {
        retry_after: Duration,
    },
    /// There is nobody who wants this hook, now or later.
    Gone,
    Other(StatusCode),
}

impl Refused {
    /// The error, which carries what should happen where the host has said it.
    fn into_error(self) -> BoxError {
        match self {
            Self::TooMany { retry_after } => Decision::RetryAfter(retry_after).with(self).into(),
            Self::Gone => Decision::DeadLetter.with(self).into(),
            Self::Other(_) => self.into(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { .. } => f.write_str("too many requests"),
            Self::Gone => f.write_str("nobody wants this hook any more"),
            Self::Other(status) => write!(f, "the host answered {status}"),
        }
    }
}

impl std::error::Error for Refused {}

fn answer(response: &Response) -> Result<(), BoxError> {
    let refused = match response.status() {
        status if status.is_success() => return Ok(()),
        StatusCode::TOO_MANY_REQUESTS => Refused::TooMany {
            retry_after: retry_after(response),
        },
        StatusCode::GONE => Refused::Gone,
        status => Refused::Other(status),
    };
    Err(refused.into_error())
}

/// Whether the host said that nobody wants the hook any more.
pub fn is_gone(letter: &Letter) -> bool {
    let error = letter.cause().error();
    error.is_some_and(|error| Decision::of(error) == Some(Decision::DeadLetter))
}

/// Retry-After in seconds. A host that gives a date, or nonsense, is asked again after a second.
fn retry_after(response: &Response) -> Duration {
    let header = response.headers().get(RETRY_AFTER);
    let seconds = header.and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}
