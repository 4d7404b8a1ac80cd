//! Which check another is compared with, against the list of all of them.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::counts::{Counts, History};
use crate::clock;

const WINDOW: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

proptest! {
    /// Checks at whatever times: each is compared with one that is a window old or older, and no older than it has to be but for the distance of those that are kept.
    #[test]
    fn a_check_is_compared_with_one_that_is_a_window_ago_and_little_more(
        gaps in prop::collection::vec(prop_oneof![0_u32..3, 0_u32..30, 60_u32..200], 1..100),
    ) {
        let (start, mut history) = (clock::now(), History::new(WINDOW));
        let (mut all, mut at) = (Vec::new(), 0);
        for gap in gaps {
            at += gap;
            let counts = Arc::new(Counts::default());
            let earlier = history.check(start + SECOND * at, &counts);
            all.push((at, Arc::clone(&counts)));
            let latest = all.iter().rev().find(|(then, _)| SECOND * (at - then) >= WINDOW);
            prop_assert_eq!(earlier.is_some(), latest.is_some());
            if let (Some((ago, found)), Some((then, _))) = (earlier, latest) {
                let at_that_time = all.iter().find(|(_, counts)| Arc::ptr_eq(counts, &found));
                prop_assert_eq!(ago, SECOND * (at - at_that_time.unwrap().0));
                prop_assert!(ago >= WINDOW);
                prop_assert!(ago < SECOND * (at - then) + WINDOW / 4, "{:?} and not {}", ago, at - then);
            }
            prop_assert!(history.len() <= 6, "{}", history.len());
        }
    }
}
