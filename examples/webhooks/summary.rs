//! The table at the end, and the sums that must come out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use comfy_table::{Table, presets};
use fanfare::layer::{BreakerStatus, Letter, Redriven};

use crate::hook::{HOSTS, Hook};
use crate::receiver::Counts;
use crate::sender::{AT_ONCE, Sender};

/// What the reports said: the hook, its host, and whether it was delivered.
pub type Sent = Vec<(u64, &'static str, bool)>;

type ByHost = BTreeMap<&'static str, Counts>;

/// All that was seen, at both ends.
pub struct Run {
    pub emitted: usize,
    pub sent: Sent,
    pub dead: Vec<Letter>,
    pub at_receivers: ByHost,
    pub redriven: Redriven,
    pub at_receivers_at_last: ByHost,
    pub took: Duration,
}

impl Run {
    pub fn print(&self, sender: &Sender) {
        let opened = opened(sender);
        let mut table = new_table();
        table.set_header([
            "host",
            "hooks",
            "attempts",
            "not answered",
            "at once, peak",
            "breaker opened",
            "delivered",
            "dead letters",
            "redriven",
        ]);
        for host in HOSTS {
            let (before, after) = (&self.at_receivers[host], &self.at_receivers_at_last[host]);
            let of_host = |sent: &&(u64, &str, bool)| sent.1 == host;
            let hooks = self.sent.iter().filter(of_host);
            let delivered = hooks.clone().filter(|sent| sent.2).count();
            let dead = self.dead.iter().filter(|letter| host_of(letter) == host);
            let redriven = after.taken.len() - before.taken.len();
            table.add_row([
                host.to_owned(),
                hooks.count().to_string(),
                before.requests.to_string(),
                before.swallowed.to_string(),
                format!("{} of {AT_ONCE}", before.peak),
                opened.get(host).copied().unwrap_or(0).to_string(),
                delivered.to_string(),
                dead.count().to_string(),
                redriven.to_string(),
            ]);
        }
        println!("{table}");

        let mut table = new_table();
        let mut row = |name: &str, value: String| {
            table.add_row([name.to_owned(), value]);
        };
        row("emitted", self.emitted.to_string());
        row("delivered", self.delivered().to_string());
        row("dead letters", self.dead.len().to_string());
        row(
            "attempts that the hosts counted",
            self.requests().to_string(),
        );
        row("waits for the rate limit", sender.rate.waits().to_string());
        row("waits for a place", sender.concurrency.waits().to_string());
        let rejected: u64 = sender
            .breakers
            .breakers()
            .iter()
            .map(BreakerStatus::rejected)
            .sum();
        row("attempts that a breaker rejected", rejected.to_string());
        row(
            "retries that the budget refused",
            sender.budget.refused().to_string(),
        );
        row(
            "redriven and delivered",
            self.redriven.delivered().to_string(),
        );
        row("dead letters left", sender.letters.len().to_string());
        row("took", format!("{:.1?}", self.took));
        println!("{table}");
    }

    /// What does not add up. Nothing, one hopes.
    pub fn check(&self, sender: &Sender) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                wrong.push(what);
            }
        };
        let (delivered, dead, left) = (self.delivered(), self.dead.len(), sender.letters.len());
        let emitted = self.emitted;
        must(
            delivered + dead == emitted,
            format!("{delivered} delivered + {dead} dead letters are not {emitted} emitted"),
        );
        let again = self.redriven.delivered();
        must(
            delivered + again + left == emitted,
            format!(
                "{delivered} delivered + {again} redriven + {left} dead letters are not {emitted} emitted"
            ),
        );
        // A letter may be of a hook that was taken by a host whose answer was lost; the other way round is a lie.
        let taken: BTreeSet<u64> = taken(&self.at_receivers);
        for (id, host, _) in self.sent.iter().filter(|sent| sent.2) {
            let taken = taken.contains(id);
            must(
                taken,
                format!("hook {id} is delivered, and {host} has not taken it"),
            );
        }
        let begun = sender.requests.load(Ordering::Relaxed);
        let arrived: u64 = self.at_receivers_at_last.values().map(|c| c.requests).sum();
        must(
            arrived <= begun,
            format!("{arrived} requests came of {begun} that were sent"),
        );
        for (host, counts) in &self.at_receivers_at_last {
            let peak = counts.peak;
            must(
                peak <= AT_ONCE,
                format!("{host} had {peak} requests at once, of {AT_ONCE}"),
            );
        }
        wrong
    }

    fn delivered(&self) -> usize {
        self.sent.iter().filter(|sent| sent.2).count()
    }

    fn requests(&self) -> u64 {
        self.at_receivers.values().map(|c| c.requests).sum()
    }
}

fn taken(by_host: &ByHost) -> BTreeSet<u64> {
    let ids = by_host.values().flat_map(|counts| counts.taken.keys());
    ids.copied().collect()
}

fn host_of(letter: &Letter) -> &'static str {
    letter.event::<Hook>().map_or("", |hook| hook.host)
}

/// How often the breaker of each host opened.
fn opened(sender: &Sender) -> BTreeMap<String, u64> {
    let breakers = sender.breakers.breakers();
    let opened = breakers
        .iter()
        .filter_map(|breaker| Some((breaker.key()?.to_owned(), breaker.opened())));
    opened.collect()
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_BORDERS_ONLY_CONDENSED);
    table
}
