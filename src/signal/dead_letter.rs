//! Dead letters as events.

use super::Signal;
use crate::layer::{DeadLetter, Letter};
use crate::outcome::Outcome;

impl DeadLetter {
    /// To the listeners of a signal. If one of them fails, or if none is called, the call's failure says so beside its own cause.
    ///
    /// The letter is emitted as [caused by](crate::Emit::caused_by) the delivery that failed. A listener of the signal itself cannot have this dead letter: registering it is refused.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fanfare::RegisterError> {
    /// use fanfare::Bus;
    /// use fanfare::layer::{DeadLetter, Letter, Place};
    ///
    /// let bus = Bus::new();
    /// let letters = bus.signal::<Letter>();
    /// letters.listen().without(Place::DeadLetter).on(async |letter| println!("{letter:?}"))?;
    /// bus.listen::<u32>().dead_letter(DeadLetter::to_signal(&letters)).on(async |_| Err::<(), _>("down"))?;
    /// assert_eq!(bus.emit(7_u32).await.failed(), 1);
    /// assert_eq!(letters.stats().emissions(), 1);
    /// # Ok(()) }
    /// ```
    pub fn to_signal(signal: &Signal<Letter>) -> Self {
        let id = signal.inner.core.id;
        // It may be a signal of the bus whose listeners have the dead letter.
        let signal = signal.downgrade();
        Self::to_signal_of(id, move |letter| {
            let signal = signal.clone();
            Box::pin(async move {
                let signal = signal
                    .upgrade()
                    .ok_or("the signal of dead letters is gone")?;
                let failed = letter.delivery().clone();
                let report = signal.emit(letter).caused_by(&failed).await.into_result()?;
                if report.delivered() + report.count(Outcome::Deferred) == 0 {
                    return Err("nobody listens to the signal of dead letters".into());
                }
                Ok(())
            })
        })
    }
}
