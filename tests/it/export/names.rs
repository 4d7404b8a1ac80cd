//! Every name that is documented exists, and every one that exists is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fanfare::observe::prometheus::{Endpoint, Format};
use fanfare::observe::{HealthCheck, RuntimeMonitor, families};
use tokio::runtime::Handle;

use super::busy_bus;
use super::parsed::Parsed;

#[tokio::test]
async fn every_family_is_in_the_text_of_a_bus_that_uses_everything() {
    let bus = busy_bus().await;
    let monitor = RuntimeMonitor::new(Handle::current());
    while monitor.reading().delays.is_empty() {
        tokio::task::yield_now().await;
    }
    let check = HealthCheck::builder(&bus).build();
    let endpoint = Endpoint::builder(&bus).health(&check).monitor(&monitor);
    let text = Parsed::of(&endpoint.build().text(Format::Prometheus), false);
    let told: Vec<&str> = text.types.keys().map(String::as_str).collect();
    let mut names: Vec<&str> = families().map(|family| family.name).collect();
    names.sort_unstable();
    assert_eq!(told, names);
}

/// Where names may be written.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md")];
    for folder in ["book/src", "examples"] {
        walk(&root.join(folder), &mut found);
    }
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.extension().and_then(|kind| kind.to_str());
        if path.is_dir() {
            walk(&path, found);
        } else if matches!(kind, Some("md" | "rs" | "yml" | "yaml" | "json")) {
            found.push(path);
        }
    }
}

/// What begins as a name of ours does; not a test's `fanfare_loom`, which stands for a `cfg`.
fn names(text: &str) -> BTreeSet<&str> {
    let starts = text.match_indices("fanfare_").map(|(at, _)| at);
    let starts = starts.filter(|at| {
        let before = text[..*at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    });
    let names = starts.map(|at| {
        let rest = &text[at..];
        let inside = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        &rest[..rest.find(|letter| !inside(letter)).unwrap_or(rest.len())]
    });
    let cfgs = [
        "fanfare_loom",
        "fanfare_shuttle",
        "fanfare_safe_slot",
        "fanfare_plant",
    ];
    names.filter(|name| !cfgs.contains(name)).collect()
}

/// Those that no family has, a histogram's samples included.
fn unknown(text: &str) -> Vec<&str> {
    let known: BTreeSet<&str> = families().map(|family| family.name).collect();
    let is_known = |name: &str| {
        let ends = ["_bucket", "_sum", "_count"].into_iter();
        let mut of_histogram = ends.filter_map(|end| name.strip_suffix(end));
        known.contains(name)
            || of_histogram.any(|base| base.ends_with("_duration_seconds") && known.contains(base))
    };
    names(text)
        .into_iter()
        .filter(|name| !is_known(name))
        .collect()
}

#[test]
fn every_name_in_the_documentation_exists() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        seen += names(&text).len();
        let unknown = unknown(&text);
        if !unknown.is_empty() {
            wrong.push(format!("{}: {unknown:?}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "no such family:\n{}", wrong.join("\n"));
    assert!(seen > 10, "the documentation was not found: {seen} names");
}

#[test]
fn the_search_finds_what_it_is_for() {
    let text = "`fanfare_emissions_total` rate(fanfare_listener_duration_seconds_bucket[5m]) fanfare_emissions fanfare_listeners_count cfg(fanfare_loom) my_fanfare_thing";
    assert_eq!(
        unknown(text),
        ["fanfare_emissions", "fanfare_listeners_count"]
    );
}
