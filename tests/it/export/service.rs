//! The endpoint as a service.

use fanfare::Bus;
use fanfare::observe::prometheus::{Endpoint, Format};
use http::{Request, Response};
use tower::ServiceExt;

use super::listen;
use super::parsed::Parsed;

const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

async fn ask(endpoint: &Endpoint, method: &str, accept: &[&str]) -> Response<String> {
    let mut request = Request::builder().method(method).uri("/metrics");
    for accept in accept {
        request = request.header("Accept", *accept);
    }
    let request = request.body(()).unwrap();
    endpoint.clone().oneshot(request).await.unwrap()
}

fn header<'a>(response: &'a Response<String>, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn the_answer_is_in_the_format_that_is_accepted() {
    let bus = Bus::new();
    listen(&bus, "a");
    let endpoint = Endpoint::new(&bus);
    let cases: [(&[&str], &str); 5] = [
        (&[], TEXT),
        (&["*/*"], TEXT),
        (&["application/openmetrics-text"], OPEN),
        (
            &["text/plain;q=0.9", "application/openmetrics-text;q=0.8"],
            TEXT,
        ),
        (
            &["text/plain;q=0.8", "application/openmetrics-text;q=0.9"],
            OPEN,
        ),
    ];
    for (accept, kind) in cases {
        let response = ask(&endpoint, "GET", accept).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), kind, "{accept:?}");
        let length = response.body().len().to_string();
        assert_eq!(header(&response, "content-length"), length);
        let parsed = Parsed::of(response.body(), kind == OPEN);
        assert_eq!(parsed.value("fanfare_listeners", &[]), 1.0);
    }
    assert_eq!(OPEN, Format::OpenMetrics.content_type());
    assert_eq!(TEXT, Format::Prometheus.content_type());
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let bus = Bus::new();
    listen(&bus, "a");
    let endpoint = Endpoint::new(&bus);
    let (get, head) = (
        ask(&endpoint, "GET", &[]).await,
        ask(&endpoint, "HEAD", &[]).await,
    );
    assert_eq!(get.headers(), head.headers());
    assert_eq!((head.status().as_u16(), &**head.body()), (200, ""));
}

#[tokio::test]
async fn another_method_is_refused() {
    let endpoint = Endpoint::new(&Bus::new());
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let response = ask(&endpoint, method, &[]).await;
        assert_eq!(response.status(), 405);
        assert_eq!(header(&response, "allow"), "GET, HEAD");
        assert!(!response.body().contains("fanfare_"));
    }
}
