//! Events that follow from events: what listeners return, and what deferred work collects.

mod defer;
mod ending;
mod forms;
mod nesting;
mod success;
