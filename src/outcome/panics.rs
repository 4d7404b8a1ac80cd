//! Panics as values.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Runs user code; a panic becomes its message.
///
/// Unwind safety is asserted because nothing that the code could have left half changed is used again: the future or closure is dropped, and
/// state of the user's own is theirs to keep sound, as in a thread that panics.
pub(crate) fn catch<R>(code: impl FnOnce() -> R) -> Result<R, Arc<str>> {
    catch_unwind(AssertUnwindSafe(code)).map_err(message)
}

/// The message of a panic payload. The payload's own `Drop` may panic, and so may the payload of that: those are caught and forgotten.
pub(crate) fn message(payload: Box<dyn Any + Send>) -> Arc<str> {
    let text = if let Some(text) = payload.downcast_ref::<&'static str>() {
        Arc::from(*text)
    } else if let Some(text) = payload.downcast_ref::<String>() {
        Arc::from(text.as_str())
    } else {
        Arc::from("a value that is not text")
    };
    if let Err(second) = drop_caught(payload) {
        if let Err(third) = drop_caught(second) {
            std::mem::forget(third);
        }
    }
    text
}

fn drop_caught(payload: Box<dyn Any + Send>) -> Result<(), Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| drop(payload)))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsOnDrop;

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_still_only_a_message() {
        let text = catch(|| std::panic::panic_any(PanicsOnDrop)).unwrap_err();
        assert_eq!(&*text, "a value that is not text");
        assert_eq!(&*catch(|| panic!("plain")).unwrap_err() as &str, "plain");
        assert_eq!(
            &*catch(|| panic!("number {}", 7)).unwrap_err() as &str,
            "number 7"
        );
    }
}
