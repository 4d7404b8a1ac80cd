//! The main example, as a person runs it: its figures against figures computed here, and bad input.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

#[path = "support/example.rs"]
mod example;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use example::{stderr, stdout};
use serde_json::{Value, json};

fn week() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/all_week.geojson")
}

fn run(file: &Path) -> Output {
    example::run("quakes", &[file.to_str().unwrap()])
}

/// Runs it on a text, in a file of its own.
fn run_on(name: &str, text: &[u8]) -> Output {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.geojson"));
    std::fs::write(&file, text).unwrap();
    run(&file)
}

/// The value of a row of the table.
fn row(output: &Output, name: &str) -> String {
    let text = stdout(output);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("| ")?.strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("no row `{name}` in\n{text}\n{}", stderr(output)));
    line.trim_end_matches('|').trim().to_owned()
}

fn feature(id: &str) -> Value {
    json!({
        "type": "Feature",
        "properties": {"mag": 5.0, "place": "here, Somewhere", "time": 1, "net": "xx", "type": "earthquake", "tsunami": 0, "felt": null},
        "geometry": {"type": "Point", "coordinates": [1.0, 2.0, 3.0]},
        "id": id,
    })
}

fn collection(features: &[Value]) -> String {
    // A feature a line, as the feed has it.
    let lines: Vec<String> = features.iter().map(ToString::to_string).collect();
    format!(
        "{{\"type\":\"FeatureCollection\",\"features\":[{}]}}",
        lines.join(",\n")
    )
}

#[test]
fn the_figures_of_the_table_are_those_of_the_file() {
    let text = std::fs::read_to_string(week()).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let features = file["features"].as_array().unwrap();
    let count = |wanted: &dyn Fn(&Value) -> bool| features.iter().filter(|f| wanted(f)).count();
    let by = |name: &str| {
        let mut counts = BTreeMap::<String, usize>::new();
        for feature in features {
            let value = feature["properties"][name].as_str().unwrap();
            *counts.entry(value.to_owned()).or_default() += 1;
        }
        counts
    };
    let significant = count(&|f| f["properties"]["mag"].as_f64().unwrap() >= 4.5);
    let above_ground = count(&|f| f["geometry"]["coordinates"][2].as_f64().unwrap() < 0.0);
    let tsunami = count(&|f| f["properties"]["tsunami"] == 1);
    let felt: u64 = features
        .iter()
        .filter_map(|f| f["properties"]["felt"].as_u64())
        .sum();

    let output = run(&week());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    assert_eq!(row(&output, "features read"), features.len().to_string());
    for (name, key) in [("by type", "type"), ("by network", "net")] {
        let row = row(&output, name);
        let counts = by(key);
        assert_eq!(row.split(", ").count(), counts.len());
        for (value, count) in counts {
            assert!(
                row.split(", ")
                    .any(|part| part == format!("{value} {count}")),
                "{row}"
            );
        }
    }
    assert_eq!(
        row(&output, "significant (magnitude 4.5 and up)"),
        significant.to_string()
    );
    assert_eq!(row(&output, "tsunami-flagged"), tsunami.to_string());
    assert_eq!(row(&output, "felt reports"), felt.to_string());
    assert_eq!(row(&output, "panics contained"), above_ground.to_string());
    // The receiver refuses every seventh alert once, and those for no region each time.
    let failures = count(&|f| {
        let place = f["properties"]["place"].as_str().unwrap_or("");
        f["properties"]["mag"].as_f64().unwrap() >= 4.5 && !place.contains(", ")
    });
    assert_eq!(
        row(&output, "alerts sent again"),
        (significant / 7).to_string()
    );
    assert_eq!(row(&output, "failures"), failures.to_string());
    let letters = failures + above_ground;
    assert_eq!(row(&output, "dead letters"), letters.to_string());
    // Statistics, depth and progress have every feature; alert and tsunami those that their filters let through.
    let calls = 3 * features.len() + significant + tsunami;
    assert_eq!(
        row(&output, "deliveries"),
        (calls - failures - above_ground).to_string()
    );
}

#[test]
fn a_file_that_is_cut_off_is_read_as_far_as_it_goes() {
    let text = collection(&[feature("one"), feature("two"), feature("three")]);
    let cut = text.find("\"three\"").unwrap();
    let output = run_on("truncated", &text.as_bytes()[..cut]);
    assert!(output.status.success());
    assert!(
        stderr(&output).contains("line 3, the end of the file: the file is cut off"),
        "{}",
        stderr(&output)
    );
    assert_eq!(row(&output, "features read"), "3");
    assert_eq!(row(&output, "features that were bad"), "1");
    assert_eq!(row(&output, "by network"), "xx 2");
}

#[test]
fn a_feature_that_is_not_json_costs_only_itself() {
    let text = collection(&[feature("one"), feature("two"), feature("three")]);
    let text = text.replace("\"id\":\"two\"", "\"id\":tw o");
    let output = run_on("damaged", text.as_bytes());
    assert!(output.status.success());
    let error = stderr(&output);
    assert!(
        error.contains("line 2, column ") && error.contains("feature 2: not JSON"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1, "{error}");
    assert_eq!(row(&output, "by network"), "xx 2");
}

#[test]
fn a_feature_that_lacks_something_is_named_and_the_rest_goes_on() {
    let mut lacks = vec![feature("good")];
    let mut without = |id: &str, change: &dyn Fn(&mut Value)| {
        let mut feature = feature(id);
        change(&mut feature);
        lacks.push(feature);
    };
    without("weak", &|f| f["properties"]["mag"] = Value::Null);
    without("lost", &|f| f["geometry"] = Value::Null);
    without("flat", &|f| {
        f["geometry"]["coordinates"] = json!([1.0, 2.0]);
    });
    without("odd", &|f| f["properties"]["time"] = json!("noon"));
    let output = run_on("lacking", collection(&lacks).as_bytes());
    assert!(output.status.success());
    let error = stderr(&output);
    let lines: Vec<&str> = error.lines().collect();
    for (line, said) in lines.iter().zip([
        "line 2, feature 2 (weak): no magnitude",
        "line 3, feature 3 (lost): no coordinates",
        "line 4, feature 4 (flat): no coordinates",
        "line 5, feature 5 (odd): invalid type",
    ]) {
        assert!(line.contains(said), "{line}");
    }
    assert_eq!(lines.len(), 4, "{error}");
    assert_eq!(row(&output, "features read"), "5");
    assert_eq!(row(&output, "by network"), "xx 1");
}

#[test]
fn a_file_that_is_no_feed_is_an_error_with_its_name() {
    for (name, text, why) in [
        (
            "other",
            &b"{\"type\": \"Topology\"}"[..],
            "is this a GeoJSON feature collection?",
        ),
        (
            "binary",
            &b"{\"features\": [\xff\xfe"[..],
            "byte 14 is not UTF-8 text",
        ),
        ("nothing", &b""[..], "is this a GeoJSON feature collection?"),
    ] {
        let output = run_on(name, text);
        assert_eq!(output.status.code(), Some(1));
        let error = stderr(&output);
        assert!(
            error.contains(&format!("{name}.geojson: ")) && error.contains(why),
            "{error}"
        );
    }
    let output = run(Path::new("no such file"));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no such file: "),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_feed_without_features_is_an_empty_table() {
    let output = run_on("empty", collection(&[]).as_bytes());
    assert!(output.status.success());
    assert_eq!(
        (row(&output, "features read"), stderr(&output)),
        ("0".to_owned(), String::new())
    );
}
