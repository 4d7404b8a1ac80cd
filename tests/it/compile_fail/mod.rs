//! What the compiler says to a person who has made a mistake: each message names the fix, and is pinned where its
//! wording depends on nothing but the program. One that names a closure is worded by the length of the folder's path.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    (
        "layer_not_clone",
        "fix: `layer_exclusive` takes what is not `Clone`",
    ),
    ("follows_bare_event", "return `One(event)`"),
    ("returns_a_value", "return `()`, `Result<(), E>`"),
];

/// The file with the message of a program, if it is pinned.
fn pinned(program: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/compile_fail");
    Some(folder.join(format!("{program}.stderr"))).filter(|file| file.exists())
}

#[test]
fn each_mistake_has_its_message() {
    let version = Command::new(std::env::var("RUSTC").unwrap_or("rustc".to_owned()))
        .arg("--version")
        .output()
        .unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    if !version.contains(&format!("rustc {PINNED}")) {
        // Another compiler words the same errors in its own way: it is held to the fixes alone.
        return;
    }
    let cases = trybuild::TestCases::new();
    for (program, _) in FIXES
        .iter()
        .filter(|(program, _)| pinned(program).is_some())
    {
        cases.compile_fail(format!("tests/it/compile_fail/{program}.rs"));
    }
}

/// Compiles each program in a crate of its own, with whichever compiler this is.
#[test]
fn each_is_refused_and_told_the_fix() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    let bins = project.join("src/bin");
    fs::create_dir_all(&bins).unwrap();
    let path = root.to_str().unwrap();
    let manifest = format!(
        "[package]\nname = \"mistakes\"\nedition = \"2024\"\n[dependencies]\nfanfare = {{ path = {path:?} }}\ntower = {{ version = \"0.5\", features = [\"limit\"] }}\n[workspace]\n"
    );
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    for (program, fix) in FIXES {
        let file = format!("{program}.rs");
        fs::copy(
            root.join("tests/it/compile_fail").join(&file),
            bins.join(&file),
        )
        .unwrap();
        let check = Command::new(env!("CARGO"))
            .args(["check", "--quiet", "--bin", program])
            .current_dir(&project)
            .output()
            .unwrap();
        let message = String::from_utf8(check.stderr).unwrap();
        assert!(!check.status.success(), "{program} compiles");
        assert!(message.contains(fix), "{program}: no `{fix}` in\n{message}");
    }
}

#[test]
fn each_pinned_message_names_the_fix() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/compile_fail");
    for (program, fix) in FIXES {
        let Some(file) = pinned(program) else {
            continue;
        };
        let message = fs::read_to_string(file).unwrap();
        assert!(message.contains(fix), "{program}: no `{fix}` in\n{message}");
    }
    let programs = fs::read_dir(&folder).unwrap().filter(|file| {
        let path = file.as_ref().unwrap().path();
        path.extension().is_some_and(|e| e == "rs") && !path.ends_with("mod.rs")
    });
    assert_eq!(
        programs.count(),
        FIXES.len(),
        "each program has its line in the table"
    );
}
