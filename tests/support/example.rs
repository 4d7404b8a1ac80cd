//! Running an example as a person does.

use std::process::{Command, Output};

/// Runs an example with these options, and waits for its end.
pub(crate) fn run(name: &str, options: &[&str]) -> Output {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let example = profile
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        example.exists(),
        "the example is not built: run `cargo build --example {name}` first"
    );
    Command::new(example).args(options).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[allow(dead_code, reason = "not every example has something to say there")]
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What an example prints that ends well.
#[allow(dead_code, reason = "some are to end otherwise")]
pub(crate) fn printed(name: &str, options: &[&str]) -> String {
    let output = run(name, options);
    let printed = stdout(&output);
    assert!(output.status.success(), "{printed}{}", stderr(&output));
    printed
}
