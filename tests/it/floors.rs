//! The floors: imports go down, never sideways. A room is a file or folder right below `src`.

use std::fs;
use std::path::{Path, PathBuf};

const FLOORS: &[(u8, &[&str])] = &[
    (0, &["actor", "clock", "error", "key", "sync"]),
    (1, &["event", "outcome", "metrics"]),
    (2, &["listener", "pool", "keyed", "span"]),
    (3, &["registry", "buffer", "context"]),
    (4, &["dispatch", "layer"]),
    (5, &["signal"]),
    (6, &["bus"]),
    (7, &["observe", "transport"]),
    (8, &["sse", "job"]),
    (9, &["dashboard", "testing"]),
];

fn floor(room: &str) -> Option<u8> {
    let found = FLOORS.iter().find(|(_, rooms)| rooms.contains(&room));
    found.map(|(floor, _)| *floor)
}

/// The file's code: comments are cut off, white space is folded.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| match line.find("//") {
        Some(comment) => &line[..comment],
        None => line,
    });
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ")
}

/// The rooms that the code names: what stands after `crate::`, alone or in a group.
fn rooms_named(code: &str, levels_below_src: usize) -> Vec<String> {
    let escape = "super::".repeat(levels_below_src + 1);
    let mut rooms = Vec::new();
    for root in ["crate::", escape.as_str()] {
        for (at, _) in code.match_indices(root) {
            let rest = code[at + root.len()..].trim_start();
            match rest.strip_prefix('{') {
                Some(group) => rooms.extend(heads(group)),
                None => rooms.extend(name(rest)),
            }
        }
    }
    rooms
}

/// The first name of each path of an import group, whose opening brace is cut off.
fn heads(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads = Vec::new();
    let mut start = true;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            _ if start && !letter.is_whitespace() => {
                heads.extend(name(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    heads
}

/// A module's name: those begin with a small letter, and macros of the crate are no rooms.
fn name(text: &str) -> Option<String> {
    let end = text
        .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .unwrap_or(text.len());
    let name = &text[..end];
    let module = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    (module && !text[end..].starts_with('!')).then(|| name.to_owned())
}

/// What is wrong with the imports of one file of a room.
fn faults(room: &str, levels_below_src: usize, text: &str) -> Vec<String> {
    let Some(own) = floor(room) else {
        return vec![format!(
            "room `{room}` has no floor: add it to the table in tests/it/floors.rs and to the book's contributing chapter"
        )];
    };
    let others = rooms_named(&code(text), levels_below_src);
    let others = others.iter().filter(|other| *other != room);
    others
        .filter_map(|other| match floor(other) {
            None => Some(format!("`{room}` imports `{other}`, which has no floor")),
            Some(theirs) if theirs < own => None,
            Some(theirs) if theirs == own => Some(format!(
                "`{room}` imports `{other}` sideways, both on floor {own}"
            )),
            Some(theirs) => Some(format!(
                "`{room}` (floor {own}) imports `{other}` (floor {theirs}) upward"
            )),
        })
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<(String, PathBuf)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&src, &mut found);
    assert!(found.len() > 20, "the sources were not found");
    let named = found.into_iter().map(|path| {
        let inside = path.strip_prefix(&src).unwrap().to_str().unwrap();
        (inside.replace('\\', "/"), path)
    });
    named.collect()
}

#[test]
fn imports_go_down_never_sideways() {
    let mut wrong = Vec::new();
    for (inside, path) in all_sources() {
        if inside == "lib.rs" {
            continue;
        }
        let room = inside.split('/').next().unwrap().trim_end_matches(".rs");
        let folders = inside.split('/').count() - 1;
        // `super` in `room/mod.rs` is the root, in `room/file.rs` the room.
        let levels = if inside.ends_with("/mod.rs") {
            folders - 1
        } else {
            folders
        };
        let text = fs::read_to_string(path).unwrap();
        wrong.extend(
            faults(room, levels, &text)
                .into_iter()
                .map(|fault| format!("{inside}: {fault}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_check_finds_what_it_is_for() {
    let planted = [
        ("pool", 1, "use crate::listener::Slot;", "sideways"),
        ("pool", 1, "use crate::bus::Bus;", "upward"),
        (
            "outcome",
            1,
            "use crate::{key::Key, registry::{Record, Entry}};",
            "upward",
        ),
        ("outcome", 1, "use super::super::signal::Signal;", "upward"),
        ("outcome", 1, "fn f() { crate::dispatch::run() }", "upward"),
        ("cellar", 1, "", "no floor"),
        ("signal", 1, "use crate::attic::Thing;", "no floor"),
    ];
    for (room, levels, text, fault) in planted {
        let found = faults(room, levels, text).join("\n");
        assert!(found.contains(fault), "{text}: {found}");
    }
    let fine = "use crate::key::Key; // crate::bus\n/// [`crate::bus::Bus`]\nuse crate::{clock, sync::{Mutex, Ordering}, Bus};";
    assert_eq!(faults("outcome", 1, fine), Vec::<String>::new());
}

#[test]
fn unsafe_code_has_one_place() {
    for (inside, path) in all_sources() {
        let text = code(&fs::read_to_string(path).unwrap());
        let has = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait"]
            .iter()
            .any(|form| text.contains(form));
        assert!(
            !has || inside == "listener/slot.rs",
            "{inside} has `unsafe`"
        );
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    for (inside, path) in all_sources() {
        let lines = fs::read_to_string(path).unwrap().lines().count();
        assert!(lines <= 500, "{inside} has {lines} lines: split it");
    }
}
