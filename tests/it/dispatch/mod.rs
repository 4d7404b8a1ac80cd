//! How the listeners of one emission run, and what the report says of them.

mod ending;
mod flow;
mod nested;
mod panics;
mod results;
