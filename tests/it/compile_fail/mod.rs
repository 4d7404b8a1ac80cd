//! What the compiler says to a person who has made a mistake: each message is pinned, and names the fix.

/// The compiler whose wording is pinned.
const PINNED: &str = "1.95.";

/// What each program's message must say, whichever compiler writes it.
const FIXES: &[(&str, &str)] = &[
    ("capture_not_clone", "an `Arc` of what it captures"),
    (
        "future_not_send",
        "fix: hold nothing that is not `Send` across an `.await`",
    ),
    ("rc_across_await", "(`Arc` for `Rc`)"),
    ("wrong_event_type", "fix: the signal's event type"),
    ("event_not_clone", "add `#[derive(Clone)]` to the event"),
    ("returns_a_value", "return `()`, `Result<(), E>`"),
];

#[test]
fn each_mistake_has_its_message() {
    let version = std::process::Command::new(std::env::var("RUSTC").unwrap_or("rustc".to_owned()))
        .arg("--version")
        .output()
        .unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    if !version.contains(&format!("rustc {PINNED}")) {
        // Another compiler words the same errors in its own way.
        println!(
            "{}: the pinned messages are those of {PINNED}",
            version.trim()
        );
        return;
    }
    let cases = trybuild::TestCases::new();
    for (program, _) in FIXES {
        cases.compile_fail(format!("tests/it/compile_fail/{program}.rs"));
    }
}

#[test]
fn each_message_names_the_fix() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/compile_fail");
    for (program, fix) in FIXES {
        let message = std::fs::read_to_string(folder.join(format!("{program}.stderr"))).unwrap();
        assert!(message.contains(fix), "{program}: no `{fix}` in\n{message}");
    }
    let programs = std::fs::read_dir(&folder).unwrap().filter(|file| {
        let path = file.as_ref().unwrap().path();
        path.extension().is_some_and(|e| e == "rs") && !path.ends_with("mod.rs")
    });
    assert_eq!(
        programs.count(),
        FIXES.len(),
        "each program has its line in the table"
    );
}
