//! For how long nobody has got a permit of a pool, as far as checks have seen.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Instant;
use crate::observe::PoolSnapshot;

/// How many permits each pool had given, and when that was first seen.
#[derive(Debug, Default)]
pub(super) struct Takes(HashMap<String, (u32, Instant)>);

impl Takes {
    /// Notes what is seen now, and says for how long it has been the same. Pools that are no more are forgotten.
    pub(super) fn look(
        &mut self,
        now: Instant,
        pools: &[PoolSnapshot],
    ) -> HashMap<String, Duration> {
        let before = std::mem::take(&mut self.0);
        let mut stuck = HashMap::new();
        for pool in pools {
            let known = before.get(&pool.name).copied();
            let known = known.filter(|(taken, _)| *taken == pool.taken);
            let (taken, since) = known.unwrap_or((pool.taken, now));
            self.0.insert(pool.name.clone(), (taken, since));
            stuck.insert(pool.name.clone(), now.saturating_duration_since(since));
        }
        stuck
    }
}
