//! The swarm example, as a person runs it: its figures against figures computed here.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

#[path = "support/example.rs"]
mod example;

use std::collections::BTreeMap;

use serde_json::Value;

#[test]
fn the_figures_of_the_table_are_those_of_the_feed() {
    let week = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/data/all_week.geojson"
    );
    let file: Value = serde_json::from_str(&std::fs::read_to_string(week).unwrap()).unwrap();
    let features = file["features"].as_array().unwrap();
    let mut quakes: Vec<&Value> = features
        .iter()
        .map(|feature| &feature["properties"])
        .filter(|quake| !quake["mag"].is_null())
        .collect();
    quakes.sort_by_key(|quake| quake["time"].as_i64());
    let all = quakes.len();
    quakes.retain(|quake| quake["type"] == "earthquake");
    let region = |quake: &Value| {
        let place = quake["place"].as_str().unwrap_or("unknown");
        let region = place.rsplit_once(", ").map_or(place, |(_, region)| region);
        region.to_owned()
    };
    // Newest first, and no windows: those of the last fifty that are near.
    let time = |n: usize| quakes[n]["time"].as_i64().unwrap();
    let near = |n: usize, other: usize| {
        region(quakes[n]) == region(quakes[other]) && time(n) - time(other) <= 3_600_000
    };
    let mut most = BTreeMap::<String, (usize, usize)>::new();
    let mut swarms = 0;
    for (n, quake) in quakes.iter().enumerate() {
        let row = most.entry(region(quake)).or_default();
        row.0 += 1;
        let together = (0..=n)
            .rev()
            .take(50)
            .filter(|other| near(n, *other))
            .count();
        if together >= 5 {
            swarms += 1;
            row.1 = row.1.max(together);
        }
    }

    let printed = example::printed("swarm", &[]);
    assert!(swarms > 0, "a week without a swarm shows nothing");
    let people = all - quakes.len();
    let windows = quakes.len().div_ceil(100);
    let lines = [
        format!("{all} entries of the feed, {people} set off by people"),
        format!("{windows} windows of 100, {swarms} quakes in a swarm"),
    ];
    for line in lines {
        assert!(printed.contains(&line), "{line}\n{printed}");
    }
    let rows = printed
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1);
    let mut checked = 0;
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (quakes, swarm) = most[cells[1]];
        assert_eq!(
            (cells[2], cells[4]),
            (&*quakes.to_string(), &*swarm.to_string())
        );
        checked += 1;
    }
    assert_eq!(checked, 12);
    assert!(
        printed.contains("the same as a plain loop over the feed finds"),
        "{printed}"
    );
}

#[test]
fn a_feed_that_cannot_be_read_is_an_error() {
    let output = example::run("swarm", &["no-such-file"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(example::stderr(&output).contains("no-such-file"));
}
