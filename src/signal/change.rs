//! Changes of settings at run time.

use std::sync::Arc;

use super::{Signal, Subscription};
use crate::event::Event;
use crate::layer::{Change, ChangeError, Station};
use crate::pool::Pool;
use crate::registry::{Home, Listed, Setting};

impl Subscription {
    /// Changes settings of the listener's layers while it works: all that are named, or none. What runs and waits goes on; [`Change`] says from when each setting counts, and what survives.
    ///
    /// A layer that the listener has inherited is changed for this listener only, one that is `shared` for all that share it. The observers of the listener's signal
    /// ([`on_change`](crate::SignalBuilder::on_change)) are told of each setting once, after the change; of two changes at once, the second may be told first. For a listener that was removed
    /// it changes nothing that anyone sees.
    ///
    /// # Errors
    ///
    /// [`ChangeError`], if the listener has no such layer or a setting makes no sense, by itself or beside one that stays. Nothing is changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use fanfare::layer::{Change, RateLimit};
    ///
    /// let signal = fanfare::Signal::<u32>::new();
    /// let sub = signal.listen().timeout(Duration::from_secs(1)).on(async |_| {})?;
    /// sub.change(Change::new().timeout(Duration::from_secs(5)))?;
    /// let error = sub.change(Change::new().rate_limit(RateLimit::per_second(5))).unwrap_err();
    /// assert!(error.to_string().starts_with("the listener has no rate limit to change"), "{error}");
    /// # Ok(()) }
    /// ```
    pub fn change(&self, change: Change) -> Result<(), ChangeError> {
        make(&*self.listed, change)
    }
}

/// # Changes at run time
impl<E: Event> Signal<E> {
    /// Changes settings of the layers of the listener with this key. See [`Subscription::change`].
    ///
    /// # Errors
    ///
    /// As there, and [`ChangeError::NoSuchKey`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use fanfare::layer::{Change, Concurrency};
    ///
    /// let signal = fanfare::Signal::<u32>::new();
    /// signal.listen().key("webhook").concurrency(Concurrency::new(2)).on(async |_| {})?;
    /// signal.change("webhook", Change::new().concurrency(Concurrency::new(8)))?;
    /// assert_eq!(signal.metadata("webhook").unwrap().layers()[0], "concurrency (8 at once)");
    /// # Ok(()) }
    /// ```
    pub fn change(&self, key: &str, change: Change) -> Result<(), ChangeError> {
        let snapshot = self.inner.registry.snapshot();
        let entry = snapshot.get(key).ok_or_else(|| ChangeError::NoSuchKey {
            key: key.to_owned(),
            signal: self.name().to_owned(),
        })?;
        make(&**entry, change)
    }

    /// Changes the number of permits of the signal's pool, as [`Pool::resize`] does, and tells the observers of this signal. All that share the pool have the new size, and the observers of each signal or bus that was given the pool are told.
    ///
    /// # Errors
    ///
    /// [`ChangeError`], if there is no pool, or the size makes no sense. The lanes of a signal that is [keyed](crate::SignalBuilder::keyed_by) are no pool:
    /// [`resize_lanes`](Self::resize_lanes).
    ///
    /// ```
    /// use fanfare::{Pool, Signal};
    ///
    /// let signal = Signal::<u32>::builder().pool(Pool::new(8)).build();
    /// signal.resize_pool(32)?;
    /// assert!(signal.describe().to_string().contains("pool: 32 permits"));
    /// # Ok::<(), fanfare::layer::ChangeError>(())
    /// ```
    pub fn resize_pool(&self, size: usize) -> Result<(), ChangeError> {
        let core = &self.inner.core;
        // Lanes of its own are changed by `resize_lanes`.
        let pool = core.options.pool.as_ref();
        resize(pool.filter(|_| !core.options.own_lanes), size, &core.home)
    }
}

fn make<L: Listed + ?Sized>(listed: &L, change: Change) -> Result<(), ChangeError> {
    let Some(setting) = change.first() else {
        return Ok(());
    };
    let station = listed.station().and_then(|it| it.downcast_ref::<Station>());
    let station = station.ok_or(ChangeError::NoSuchLayer { setting })?;
    let record = listed.record();
    for told in station.change(change)? {
        let (before, after) = (told.before, told.after);
        let listener = Some(record.identity());
        record.home.changed(listener, told.setting, before, after);
    }
    Ok(())
}

/// Resizes a pool, and tells the observers of this home.
pub(crate) fn resize(pool: Option<&Pool>, size: usize, home: &Home) -> Result<(), ChangeError> {
    let pool = pool.ok_or_else(|| ChangeError::NoPool {
        name: home.name.to_string(),
    })?;
    let before = pool.resized(size, Some(home.observers()))?;
    home.changed(None, Setting::Pool, words(before), words(size));
    Ok(())
}

/// Tells the observers of this home what becomes of the size of a pool. Those that are told by whoever has resized it are not told again.
pub(crate) fn observe(pool: &Pool, home: &Arc<Home>) {
    let home = Arc::downgrade(home);
    pool.observe(home.clone(), move |scaled| {
        let knows = |home: &Arc<Home>| {
            let told = scaled.told.as_deref();
            told.is_some_and(|told| home.observers().iter().all(|it| told.contains(it)))
        };
        if let Some(home) = home.upgrade().filter(|home| !knows(home)) {
            home.changed(
                None,
                Setting::Pool,
                words(scaled.from()),
                words(scaled.to()),
            );
        }
    });
}

fn words(permits: usize) -> String {
    format!("{permits} permits")
}
