//! The W3C trace context: <https://www.w3.org/TR/trace-context/>, section 3.2.

use std::fmt;
use std::str::FromStr;

/// Where in a distributed trace an event was emitted: the value of the W3C header `traceparent`.
///
/// # Examples
///
/// ```
/// use fanfare::TraceParent;
///
/// let parent: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
/// assert_eq!(parent.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
/// assert_eq!(parent.parent_id(), 0x00f0_67aa_0ba9_02b7);
/// assert!(parent.is_sampled());
/// assert!("00-00000000000000000000000000000000-00f067aa0ba902b7-01".parse::<TraceParent>().is_err());
/// # Ok::<(), fanfare::TraceParentError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

/// The flag that says that the caller may have recorded the trace.
const SAMPLED: u8 = 1;

impl TraceParent {
    /// `None` if an id is zero, which the standard forbids. See [`TraceParent`](crate::TraceParent).
    pub fn new(trace_id: u128, parent_id: u64, sampled: bool) -> Option<Self> {
        (trace_id != 0 && parent_id != 0).then_some(Self {
            trace_id,
            parent_id,
            flags: if sampled { SAMPLED } else { 0 },
        })
    }

    /// The id of the whole trace. See [`TraceParent`](crate::TraceParent).
    pub fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The id of the span that emitted. See [`TraceParent`](crate::TraceParent).
    pub fn parent_id(self) -> u64 {
        self.parent_id
    }

    /// Whether the caller may have recorded the trace. See [`TraceParent`](crate::TraceParent).
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace_id,
            parent_id,
            flags,
        } = self;
        // The version that is written knows of no other flag.
        let flags = flags & SAMPLED;
        write!(f, "00-{trace_id:032x}-{parent_id:016x}-{flags:02x}")
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        parse(text).ok_or_else(|| TraceParentError {
            value: text.to_owned(),
        })
    }
}

fn parse(text: &str) -> Option<TraceParent> {
    let mut fields = text.splitn(5, '-');
    let version = hex(fields.next()?, 2)?;
    let trace_id = hex(fields.next()?, 32)?;
    let parent_id = hex(fields.next()?, 16)?;
    let flags = hex(fields.next()?, 2)?;
    // A later version may have more fields; version 255 is none.
    if version == 0xff || (version == 0 && fields.next().is_some()) {
        return None;
    }
    let flags = u8::try_from(flags).ok()?;
    let parent = TraceParent::new(trace_id, u64::try_from(parent_id).ok()?, false)?;
    Some(TraceParent { flags, ..parent })
}

/// So many digits of small hexadecimal, as the standard writes them.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != digits || !text.bytes().all(lower) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

/// The value of a `traceparent` header is not well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParentError {
    value: String,
}

impl fmt::Display for TraceParentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no traceparent: it takes `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`, in small letters, no id all zeros",
            self.value
        )
    }
}

impl std::error::Error for TraceParentError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_standard_allows_is_read_and_written_back_and_nothing_else() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(good.parse::<TraceParent>().unwrap().to_string(), good);
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more";
        assert!(!later.parse::<TraceParent>().unwrap().is_sampled());
        let more = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff";
        assert_eq!(more.parse::<TraceParent>().unwrap().to_string(), good);
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            let error = bad.parse::<TraceParent>().unwrap_err();
            assert!(error.to_string().contains("is no traceparent"), "{bad}");
        }
    }
}
