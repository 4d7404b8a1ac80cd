//! The events.

use serde::{Deserialize, Serialize};

/// The hosts, which are named after what they are like.
pub const HOSTS: [&str; 7] = ["prompt", "slow", "flaky", "busy", "napping", "down", "gone"];

/// One webhook: something has happened, and a host wants to know.
#[derive(Clone, Debug)]
pub struct Hook {
    pub id: u64,
    pub host: &'static str,
    pub url: String,
}

/// What is sent.
#[derive(Debug, Deserialize, Serialize)]
pub struct Body {
    pub id: u64,
}

impl Hook {
    /// So many for each host, in an order that the seed says.
    pub fn all(per_host: u64, seed: u64, url: impl Fn(&str) -> String) -> Vec<Self> {
        let hosts = (0..per_host).flat_map(|_| HOSTS);
        let hooks = (1..).zip(hosts).map(|(id, host)| Self {
            id,
            host,
            url: url(host),
        });
        let mut hooks: Vec<Self> = hooks.collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut hooks);
        hooks
    }
}
