//! Which of the two formats.

/// The format of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Prometheus text, 0.0.4: what every scraper reads.
    #[default]
    Prometheus,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The media type, for the header `Content-Type`. See [`Format`](crate::observe::prometheus::Format).
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The one to answer with to a header `Accept`: `OpenMetrics` if it is named, in a version that is served, and rated no lower than text; else Prometheus text, to whomever.
    ///
    /// ```
    /// use fanfare::observe::prometheus::Format;
    ///
    /// let prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    /// assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
    /// assert_eq!(Format::accepted("text/html,*/*;q=0.8"), Format::Prometheus);
    /// ```
    pub fn accepted(accept: &str) -> Self {
        let (mut open, mut text, mut any_text, mut any) = (None, None, None, None);
        for range in accept.split(',').filter_map(Range::parse) {
            let rating = match range.media {
                "application/openmetrics-text" if range.is_version("1.0.0") => &mut open,
                "text/plain" if range.is_version("0.0.4") => &mut text,
                "text/*" => &mut any_text,
                "*/*" => &mut any,
                _ => continue,
            };
            *rating = Some(range.quality.max(rating.unwrap_or(0)));
        }
        let text = text.or(any_text).or(any).unwrap_or(0);
        match open {
            Some(open) if open > 0 && open >= text => Self::OpenMetrics,
            _ => Self::Prometheus,
        }
    }
}

/// One media range of a header `Accept`.
struct Range<'a> {
    media: &'a str,
    version: Option<&'a str>,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let mut range = Self {
            media: parts.next()?,
            version: None,
            quality: 1_000,
        };
        for parameter in parts {
            let Some((name, value)) = parameter.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches('"');
            match name.trim() {
                "version" => range.version = Some(value),
                "q" | "Q" => range.quality = thousandths(value)?,
                _ => {}
            }
        }
        Some(range)
    }

    fn is_version(&self, version: &str) -> bool {
        self.version.is_none_or(|wanted| wanted == version)
    }
}

/// A quality, from 0 to 1 with at most three digits after the point.
fn thousandths(quality: &str) -> Option<u16> {
    let quality: f32 = quality.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is in between"
    )]
    let thousandths = (0.0..=1.0)
        .contains(&quality)
        .then(|| (quality * 1_000.0).round() as u16);
    thousandths
}

#[cfg(test)]
mod tests {
    use super::Format::{self, OpenMetrics, Prometheus};

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        let cases = [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/plain", Prometheus),
            ("text/html", Prometheus),
            ("application/*", Prometheus),
            ("application/openmetrics-text", OpenMetrics),
            ("application/openmetrics-text; version=1.0.0", OpenMetrics),
            (
                "application/openmetrics-text; version=\"1.0.0\"",
                OpenMetrics,
            ),
            ("application/openmetrics-text; version=0.0.1", Prometheus),
            ("application/openmetrics-text; version=2.0.0", Prometheus),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=nan", Prometheus),
            (
                "application/openmetrics-text;q=0.4,text/plain;q=0.5",
                Prometheus,
            ),
            (
                "application/openmetrics-text;q=0.4,text/*;q=0.5",
                Prometheus,
            ),
            ("application/openmetrics-text;q=0.4,*/*;q=0.5", Prometheus),
            (
                "application/openmetrics-text;q=0.4,text/plain;q=0.3,*/*;q=0.5",
                OpenMetrics,
            ),
            (
                "text/plain;q=0.5 , application/openmetrics-text;q=0.5",
                OpenMetrics,
            ),
            // Of Prometheus 2 and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OpenMetrics,
            ),
        ];
        for (accept, format) in cases {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
