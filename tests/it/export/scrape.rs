//! What the real Prometheus says of the text.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use fanfare::observe::prometheus::{Endpoint, Format};
use fanfare::observe::{HealthCheck, RuntimeMonitor};
use fanfare::{Bus, Metrics};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tower::ServiceExt;

use super::busy_bus;
use crate::support::Log;

#[path = "../../support/prometheus.rs"]
mod prometheus;

use prometheus::{PATIENCE, Prometheus, promtool};

const STRANGE: &str = "a \"b\" \\ c\nd ö {}";

#[tokio::test]
async fn promtool_finds_nothing_wrong() {
    let bus = busy_bus().await;
    let _ = bus.listen::<u64>().key(STRANGE).on(async |_| {}).unwrap();
    let monitor = RuntimeMonitor::new(Handle::current());
    let begin = Instant::now();
    while monitor.reading().delays.is_empty() {
        assert!(begin.elapsed() < PATIENCE, "the monitor has seen nothing");
        tokio::task::yield_now().await;
    }
    let check = HealthCheck::builder(&bus).build();
    let endpoint = Endpoint::builder(&bus).health(&check).health(&check);
    let text = endpoint.monitor(&monitor).build().text(Format::Prometheus);
    assert!(text.contains("fanfare_live{") && text.contains("fanfare_runtime_workers{"));
    let checked = promtool(&["check", "metrics"], Some(&text));
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(
        checked.status.success() && said.is_empty(),
        "{said}\n{text}"
    );
}

#[test]
fn promtool_finds_the_alerts_to_fire_when_they_should() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/observed");
    for (kind, file) in [("check", "alerts.yml"), ("test", "alerts_test.yml")] {
        let checked = promtool(&[kind, "rules", &format!("{examples}/{file}")], None);
        let [out, err] = [checked.stdout, checked.stderr].map(|it| String::from_utf8(it).unwrap());
        assert!(checked.status.success(), "{out}\n{err}");
        assert!(out.contains("SUCCESS"), "{out}");
    }
}

/// A server of axum that goes with its guard.
struct Served(SocketAddr, AbortHandle);

impl Served {
    async fn new(app: Router) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self(address, server.abort_handle())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.1.abort();
    }
}

/// A route as an application has it, and what it answered.
fn watched(endpoint: Endpoint, accept: bool) -> (Router, Log<String>) {
    let kinds = Log::default();
    let told = kinds.clone();
    let service = endpoint
        .map_request(move |mut request: Request<_>| {
            if !accept {
                request.headers_mut().remove(ACCEPT);
            }
            request
        })
        .map_response(move |response: Response<String>| {
            let kind = response.headers()[CONTENT_TYPE].to_str().unwrap();
            told.push(kind.to_owned());
            response
        });
    (Router::new().route_service("/metrics", service), kinds)
}

/// A bus whose listener takes 20 ms.
async fn slow_bus() -> Bus {
    let bus = Bus::builder().name("shop").metrics(Metrics::Timed).build();
    for key in ["slow", STRANGE] {
        let _ = bus
            .listen::<u64>()
            .key(key)
            .on(async |_| tokio::time::sleep(Duration::from_millis(20)).await)
            .unwrap();
    }
    for n in 0..5_u64 {
        let _ = bus.emit(n).await;
    }
    bus
}

#[tokio::test]
async fn the_real_server_scrapes_both_formats() {
    let bus = slow_bus().await;
    // A rate takes two scrapes that differ.
    let emitter = {
        let bus = bus.clone();
        tokio::spawn(async move {
            loop {
                let _ = bus.emit(1_u64).await;
            }
        })
    };
    let (open_app, open_kinds) = watched(Endpoint::new(&bus), true);
    let (text_app, text_kinds) = watched(Endpoint::new(&bus), false);
    let (open, text) = (Served::new(open_app).await, Served::new(text_app).await);
    let server = Prometheus::start(&[("open", open.0), ("text", text.0)], &[]).await;
    for job in ["open", "text"] {
        let emissions = format!("fanfare_emissions_total{{job='{job}',bus='shop',signal='u64'}}");
        server.until(&emissions, |count| count >= 5.0).await;
        let listeners = format!("fanfare_listeners{{job='{job}',bus='shop'}}");
        server.until(&listeners, |count| count == 2.0).await;
        let p99 = format!(
            "histogram_quantile(0.99, sum by (le) (rate(fanfare_listener_duration_seconds_bucket{{job='{job}',listener='slow'}}[1m])))"
        );
        // Below that the listener cannot be, and above it the machine may be slow.
        server
            .until(&p99, |seconds| (0.02..=60.0).contains(&seconds))
            .await;
        let strange = format!("fanfare_listener_calls_total{{job='{job}',listener!='slow'}}");
        let strange = server.query(&strange).await;
        assert_eq!(strange[0].0["listener"], STRANGE);
    }
    emitter.abort();
    // A scrape now and then may take too long on a machine that is busy.
    server.until_all_are_up().await;
    let kind = |kinds: Log<String>| {
        let mut kinds = kinds.take();
        kinds.dedup();
        kinds
    };
    assert_eq!(kind(open_kinds), [Format::OpenMetrics.content_type()]);
    assert_eq!(kind(text_kinds), [Format::Prometheus.content_type()]);
}
