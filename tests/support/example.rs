//! Running an example as a person does.

use std::process::{Command, Output};

/// An example with these options, to be started.
pub(crate) fn command(name: &str, options: &[&str]) -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let example = profile
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        example.exists(),
        "the example is not built: run `cargo build --example {name}` first"
    );
    let mut command = Command::new(example);
    // Whoever runs the tests may export to a collector of their own.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"OTEL_") {
            command.env_remove(name);
        }
    }
    command.args(options);
    command
}

/// Runs an example with these options, and waits for its end.
pub(crate) fn run(name: &str, options: &[&str]) -> Output {
    command(name, options).output().unwrap()
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
