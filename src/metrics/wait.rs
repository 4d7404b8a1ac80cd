//! What is waited for.

/// What an emission waits for before its listeners are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum Wait {
    /// Its place in the buffer: from `enqueue` to the begin of its emission. An event that takes the place of an older one of its key has waited since that came.
    Buffer,
    /// The turn of its key, if it was not its turn at once.
    Turn,
    /// The limit on emissions, if that did not let it through at once.
    Limit,
    /// A permit of the pool, for each call that had to wait for one, or gave it up when the pool's own limit on waits was over. A wait that ends as its emission is dropped is not recorded, nor
    /// are those of calls in the background.
    Permit,
}

impl Wait {
    /// All there are, in the order in which an event meets them. See [`Wait`](crate::observe::Wait).
    pub const ALL: [Self; 4] = [Self::Buffer, Self::Turn, Self::Limit, Self::Permit];

    /// The name, as labels have it: `buffer`, `permit`, `turn`, `limit`. See [`Wait`](crate::observe::Wait).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Buffer => "buffer",
            Self::Permit => "permit",
            Self::Turn => "turn",
            Self::Limit => "limit",
        }
    }
}
