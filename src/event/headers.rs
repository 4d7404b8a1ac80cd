//! What travels beside an event.

use std::collections::BTreeMap;

use super::TraceParent;

/// The name of the W3C header that [`TraceParent`] is the value of.
pub(crate) const TRACEPARENT: &str = "traceparent";
/// The name of the W3C header of vendors, which goes along with `traceparent`.
pub(crate) const TRACESTATE: &str = "tracestate";

/// What travels beside an event: text by name. Names are compared without regard to ASCII case, and are kept in small letters.
///
/// # Examples
///
/// ```
/// use fanfare::Headers;
///
/// let headers = Headers::from([("Tenant", "acme"), ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]);
/// assert_eq!(headers.get("tenant"), Some("acme"));
/// assert!(headers.traceparent().is_some_and(|parent| parent.is_sampled()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// No headers. See [`Headers`](crate::Headers).
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one, and hands out the value that it had. See [`Headers`](crate::Headers).
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) -> Option<String> {
        let mut name = name.into();
        name.make_ascii_lowercase();
        self.0.insert(name, value.into())
    }

    /// The value of one. See [`Headers`](crate::Headers).
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = match self.0.get(name) {
            None if name.bytes().any(|b| b.is_ascii_uppercase()) => {
                self.0.get(&name.to_ascii_lowercase())
            }
            found => found,
        };
        value.map(String::as_str)
    }

    /// Takes one out. See [`Headers`](crate::Headers).
    pub fn remove(&mut self, name: &str) -> Option<String> {
        self.0.remove(&name.to_ascii_lowercase())
    }

    /// How many there are. See [`Headers`](crate::Headers).
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none. See [`Headers`](crate::Headers).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of their names. See [`Headers`](crate::Headers).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The W3C `traceparent`, if there is one that is well formed. See [`TraceParent`].
    pub fn traceparent(&self) -> Option<TraceParent> {
        self.get(TRACEPARENT)?.parse().ok()
    }

    /// Sets the W3C `traceparent`. See [`TraceParent`].
    pub fn set_traceparent(&mut self, parent: TraceParent) {
        self.insert(TRACEPARENT, parent.to_string());
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::new();
        headers.extend(pairs);
        headers
    }
}

impl<N: Into<String>, V: Into<String>> Extend<(N, V)> for Headers {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, pairs: I) {
        for (name, value) in pairs {
            self.insert(name, value);
        }
    }
}

impl<N: Into<String>, V: Into<String>, const COUNT: usize> From<[(N, V); COUNT]> for Headers {
    fn from(pairs: [(N, V); COUNT]) -> Self {
        pairs.into_iter().collect()
    }
}
