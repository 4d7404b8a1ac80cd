//! Reading the feed: GeoJSON as the USGS serves it, one feature at a time, so that a bad one costs only itself.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::quake::{BadEntry, Quake};

/// The text of a feed, and where its features begin.
pub struct Feed {
    text: String,
    features: usize,
}

/// The feed cannot be read at all.
#[derive(Debug)]
pub struct FeedError {
    path: PathBuf,
    why: String,
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for FeedError {}

impl Feed {
    pub fn open(path: &Path) -> Result<Self, FeedError> {
        let error = |why: String| FeedError {
            path: path.to_owned(),
            why,
        };
        let bytes = std::fs::read(path).map_err(|e| error(e.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            error(format!(
                "byte {at} is not UTF-8 text: is this a GeoJSON file?"
            ))
        })?;
        let features = start_of_features(&text).ok_or_else(|| {
            let why = "there is no `\"features\": [` in it: is this a GeoJSON feature collection?";
            error(why.to_owned())
        })?;
        Ok(Self { text, features })
    }

    /// The features, in the order of the file.
    pub fn entries(&self) -> Entries<'_> {
        Entries {
            text: &self.text,
            at: self.features,
            index: 0,
            ended: false,
        }
    }
}

fn start_of_features(text: &str) -> Option<usize> {
    let (_, after) = text.split_once("\"features\"")?;
    let rest = after.trim_start().strip_prefix(':')?;
    let rest = rest.trim_start().strip_prefix('[')?;
    Some(text.len() - rest.len())
}

/// An iterator over the features. After a syntax error it goes on at the next feature that it can find.
pub struct Entries<'a> {
    text: &'a str,
    at: usize,
    /// How many features have begun.
    index: usize,
    ended: bool,
}

impl Iterator for Entries<'_> {
    type Item = Result<Quake, BadEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let rest = &self.text[self.at..];
        let rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        self.at = self.text.len() - rest.len();
        if rest.starts_with(']') {
            self.ended = true;
            return None;
        }
        self.index += 1;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        Some(match values.next() {
            Some(Ok(feature)) => {
                let line = self.line_of(self.at);
                self.at += values.byte_offset();
                parse(feature.get()).map_err(|why| self.bad(line, feature.get(), why))
            }
            Some(Err(error)) if !error.is_eof() => Err(self.skip_damaged(rest, &error)),
            _ => Err(self.truncated()),
        })
    }
}

impl Entries<'_> {
    fn line_of(&self, at: usize) -> usize {
        1 + self.text[..at].matches('\n').count()
    }

    fn bad(&self, line: usize, feature: &str, why: String) -> BadEntry {
        #[derive(Deserialize)]
        struct Id {
            id: String,
        }
        let id = serde_json::from_str(feature).map_or("no id".to_owned(), |Id { id }| id);
        BadEntry {
            at: format!("line {line}, feature {} ({id})", self.index),
            why,
        }
    }

    /// The file ends before the list does.
    fn truncated(&mut self) -> BadEntry {
        self.ended = true;
        BadEntry {
            at: format!(
                "line {}, the end of the file",
                self.line_of(self.text.len())
            ),
            why: "the file is cut off inside the list of features; those before were read"
                .to_owned(),
        }
    }

    /// Goes on at what looks like the next feature: the feed has one a line.
    fn skip_damaged(&mut self, rest: &str, error: &serde_json::Error) -> BadEntry {
        let line = self.line_of(self.at) + error.line() - 1;
        let (column, index) = (error.column(), self.index);
        let next = ["\n{", "{\"type\":\"Feature\""]
            .into_iter()
            .filter_map(|start| rest[1..].find(start))
            .min();
        match next {
            Some(next) => self.at += 1 + next,
            None => self.ended = true,
        }
        BadEntry {
            at: format!("line {line}, column {column}, feature {index}"),
            why: format!("not JSON: {error}"),
        }
    }
}

/// Turns one feature into an event, or says what it lacks.
fn parse(feature: &str) -> Result<Quake, String> {
    #[derive(Deserialize)]
    struct Feature {
        id: String,
        properties: Properties,
        geometry: Option<Geometry>,
    }
    #[derive(Deserialize)]
    struct Properties {
        mag: Option<f64>,
        place: Option<String>,
        time: i64,
        net: String,
        r#type: String,
        #[serde(default)]
        tsunami: u8,
        felt: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Geometry {
        coordinates: Vec<f64>,
    }
    let feature: Feature = serde_json::from_str(feature).map_err(|e| e.to_string())?;
    let properties = feature.properties;
    let coordinates = feature.geometry.map(|geometry| geometry.coordinates);
    let Some(&[longitude, latitude, depth]) = coordinates.as_deref() else {
        return Err("no coordinates: a point has longitude, latitude and depth".to_owned());
    };
    Ok(Quake {
        id: feature.id,
        magnitude: properties
            .mag
            .ok_or("no magnitude: `mag` is missing or null")?,
        place: properties.place.unwrap_or_else(|| "unknown".to_owned()),
        network: properties.net,
        kind: properties.r#type,
        time: properties.time,
        longitude,
        latitude,
        depth,
        tsunami: properties.tsunami != 0,
        felt: properties.felt.unwrap_or(0),
    })
}
