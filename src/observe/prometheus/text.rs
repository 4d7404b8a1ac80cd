//! Writing the text.

use std::fmt::{self, Write as _};

use super::Format;
use super::bounds::Bounds;
use crate::metrics::Distribution;
use crate::observe::{Collector, Family, FamilyKind, Label, Total};

/// The text, as far as it is written.
pub(super) struct Text<'a> {
    written: String,
    format: Format,
    bounds: &'a Bounds,
    max_listeners: usize,
    /// Whose series are written.
    family: &'static str,
}

impl<'a> Text<'a> {
    pub(super) fn new(format: Format, bounds: &'a Bounds, max_listeners: usize) -> Self {
        Self {
            written: String::new(),
            format,
            bounds,
            max_listeners,
            family: "",
        }
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.written.push_str("# EOF\n");
        }
        self.written
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        let written = self.written.write_fmt(line);
        written.expect("a string takes all that is written");
        self.written.push('\n');
    }

    /// What is said of a family, before its first series.
    fn begin(&mut self, family: &Family) {
        if self.family == family.name {
            return;
        }
        self.family = family.name;
        let kind = match family.kind {
            FamilyKind::Counter => "counter",
            FamilyKind::Gauge => "gauge",
            FamilyKind::Histogram => "histogram",
        };
        // In OpenMetrics the ending of a counter is its sample's.
        let name = match self.format {
            Format::OpenMetrics => family.name.strip_suffix("_total").unwrap_or(family.name),
            Format::Prometheus => family.name,
        };
        self.line(format_args!("# HELP {name} {}", family.help));
        self.line(format_args!("# TYPE {name} {kind}"));
        if let (Format::OpenMetrics, Some(unit)) = (self.format, family.unit) {
            self.line(format_args!("# UNIT {name} {}", unit.as_str()));
        }
    }
}

impl Collector for Text<'_> {
    fn counter(&mut self, family: &Family, labels: &[Label<'_>], value: Total) {
        self.begin(family);
        self.line(format_args!(
            "{}{{{}}} {value}",
            family.name,
            Labels(labels)
        ));
    }

    fn gauge(&mut self, family: &Family, labels: &[Label<'_>], value: f64) {
        self.begin(family);
        self.line(format_args!(
            "{}{{{}}} {value}",
            family.name,
            Labels(labels)
        ));
    }

    fn histogram(&mut self, family: &Family, labels: &[Label<'_>], value: &Distribution) {
        self.begin(family);
        let (name, labels) = (family.name, Labels(labels).to_string());
        for (bound, count) in self.bounds.cumulative(value) {
            self.line(format_args!(
                "{name}_bucket{{{labels},le=\"{bound}\"}} {count}"
            ));
        }
        let (count, sum) = (value.count(), Total::Time(value.sum()));
        self.line(format_args!(
            "{name}_bucket{{{labels},le=\"+Inf\"}} {count}"
        ));
        self.line(format_args!("{name}_sum{{{labels}}} {sum}"));
        self.line(format_args!("{name}_count{{{labels}}} {count}"));
    }

    fn max_listeners(&self) -> usize {
        self.max_listeners
    }
}

/// Labels as they stand between braces.
struct Labels<'a>(&'a [Label<'a>]);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (name, value)) in self.0.iter().enumerate() {
            let comma = if nth == 0 { "" } else { "," };
            write!(f, "{comma}{name}=\"")?;
            for letter in value.chars() {
                match letter {
                    '\\' => f.write_str("\\\\")?,
                    '"' => f.write_str("\\\"")?,
                    '\n' => f.write_str("\\n")?,
                    other => f.write_char(other)?,
                }
            }
            f.write_str("\"")?;
        }
        Ok(())
    }
}
