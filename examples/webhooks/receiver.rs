//! The receivers: an HTTP server for each host, each with a weakness of its own. What they count is what has happened, whatever the sender believes.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use tokio::net::TcpListener;

use crate::hook::{Body, HOSTS};

/// So many requests come to nothing before the napping host wakes up.
const NAP: u64 = 10;

/// How long a host works on a request.
const WORK: Duration = Duration::from_millis(2);
const SLOW_WORK: Duration = Duration::from_millis(25);

/// All hosts.
pub struct Receivers {
    sites: BTreeMap<&'static str, Arc<Site>>,
}

/// One host.
struct Site {
    host: &'static str,
    port: u16,
    seed: u64,
    recovered: AtomicBool,
    running: AtomicUsize,
    peak: AtomicUsize,
    seen: Mutex<Seen>,
}

#[derive(Clone, Default)]
struct Seen {
    requests: u64,
    swallowed: u64,
    /// How often each hook was asked for, and how often it was taken.
    asked: HashMap<u64, u64>,
    taken: BTreeMap<u64, u64>,
}

/// What one host has counted.
pub struct Counts {
    pub requests: u64,
    /// Requests that it never answered.
    pub swallowed: u64,
    /// The hooks that it took, and how often.
    pub taken: BTreeMap<u64, u64>,
    /// The most requests that it worked on at once.
    pub peak: usize,
}

/// What a host does with a request.
enum Fate {
    Take(Duration),
    Swallow,
    Refuse(StatusCode),
}

impl Receivers {
    /// Starts all of them in the background, each on a free port.
    pub async fn start(seed: u64) -> std::io::Result<Self> {
        let mut sites = BTreeMap::new();
        for host in HOSTS {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let site = Arc::new(Site {
                host,
                port: listener.local_addr()?.port(),
                seed,
                recovered: AtomicBool::new(false),
                running: AtomicUsize::new(0),
                peak: AtomicUsize::new(0),
                seen: Mutex::default(),
            });
            let router = Router::new()
                .route("/hooks", post(receive))
                .with_state(Arc::clone(&site));
            tokio::spawn(async move { axum::serve(listener, router).await });
            sites.insert(host, site);
        }
        Ok(Self { sites })
    }

    pub fn url(&self, host: &str) -> String {
        format!("http://127.0.0.1:{}/hooks", self.sites[host].port)
    }

    /// From here on every host does what it is asked, but for those that are gone.
    pub fn recover(&self) {
        for site in self.sites.values() {
            site.recovered.store(true, Ordering::Relaxed);
        }
    }

    pub fn counts(&self) -> BTreeMap<&'static str, Counts> {
        let counts = self.sites.iter().map(|(host, site)| {
            let seen = site.seen().clone();
            let counts = Counts {
                requests: seen.requests,
                swallowed: seen.swallowed,
                taken: seen.taken,
                peak: site.peak.load(Ordering::Relaxed),
            };
            (*host, counts)
        });
        counts.collect()
    }
}

async fn receive(State(site): State<Arc<Site>>, Json(body): Json<Body>) -> (StatusCode, HeaderMap) {
    let status = match site.fate(body.id) {
        Fate::Take(work) => {
            site.work(work).await;
            *site.seen().taken.entry(body.id).or_default() += 1;
            StatusCode::OK
        }
        // The sender's timeout ends the wait; the server drops this when the connection is closed.
        Fate::Swallow => pending().await,
        Fate::Refuse(status) => {
            site.work(WORK).await;
            status
        }
    };
    let mut headers = HeaderMap::new();
    if status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    (status, headers)
}

impl Site {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nothing panics while it counts")
    }

    /// Works for so long, and counts how many do.
    async fn work(&self, time: Duration) {
        let running = 1 + self.running.fetch_add(1, Ordering::Relaxed);
        let _done = Done(&self.running);
        self.peak.fetch_max(running, Ordering::Relaxed);
        tokio::time::sleep(time).await;
    }

    /// Counts a request, and says what becomes of it: by the seed, the hook, and how often it came.
    fn fate(&self, hook: u64) -> Fate {
        let mut seen = self.seen();
        seen.requests += 1;
        let request = seen.requests;
        let asked = seen.asked.entry(hook).or_default();
        *asked += 1;
        let first = *asked == 1;
        let one_in = |n: u64| first && fastrand::Rng::with_seed(self.seed ^ hook).u64(..n) == 0;
        let fate = match self.host {
            "gone" => Fate::Refuse(StatusCode::GONE),
            _ if self.recovered.load(Ordering::Relaxed) => Fate::Take(WORK),
            "slow" if one_in(16) => Fate::Swallow,
            "slow" => Fate::Take(SLOW_WORK),
            "flaky" if one_in(5) => Fate::Refuse(StatusCode::INTERNAL_SERVER_ERROR),
            "busy" if one_in(4) => Fate::Refuse(StatusCode::TOO_MANY_REQUESTS),
            "napping" if request <= NAP => Fate::Refuse(StatusCode::BAD_GATEWAY),
            "down" => Fate::Refuse(StatusCode::SERVICE_UNAVAILABLE),
            _ => Fate::Take(WORK),
        };
        seen.swallowed += u64::from(matches!(fate, Fate::Swallow));
        fate
    }
}

/// One request less is worked on.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
