//! The house keeps its order: imports go down only, and a file is one thought.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of this crate from the ground up, each with its floor and the modules of its own floor
/// that it may name, which stand above it here.
///
/// A module names modules of lower floors freely (floor 0 is `leastbusy_balance`, another crate).
const FLOORS: &[(&str, u8, &[&str])] = &[
    // What the program is told, and what is read from bytes.
    ("duration", 1, &[]),
    ("likeness", 1, &[]),
    ("moment", 1, &[]),
    ("roots", 1, &[]),
    ("wildcard", 1, &[]),
    ("strategy", 1, &[]),
    ("provider", 1, &["likeness"]),
    ("openai", 1, &["strategy"]),
    ("config", 1, &["duration", "likeness", "moment", "wildcard", "strategy", "provider"]),
    // What talks to others.
    ("shared", 2, &[]),
    ("simulated", 2, &[]),
    ("upstream", 2, &[]),
    ("engine_load", 2, &["upstream"]),
    ("router", 2, &["upstream", "shared", "engine_load"]),
    // What clients and operators see.
    ("telemetry", 3, &[]),
    ("front", 3, &["telemetry"]),
    ("serve", 3, &["front", "telemetry"]),
    ("load", 3, &[]),
    ("demo", 3, &["serve", "load", "telemetry"]),
    ("sim", 3, &["serve", "load"]),
    ("cli", 3, &["serve", "demo", "sim", "telemetry"]),
];

/// The crate's roots: they name every module and belong to no floor.
const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];

const LINES_MAX: usize = 500;

/// Files that may be longer, and why.
const LONG: &[(&str, &str)] = &[];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("this crate lies in crates/")
}

/// Every Rust file below a folder, in the order of their names.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The first name of each path that starts at the crate's root, with its line: `crate::NAME`,
/// `crate::{NAME, NAME::...}`, and `super::NAME` in a file whose parent is the root.
fn named_from_root(source: &str, parent_is_root: bool) -> Vec<(usize, String)> {
    // Comments may point anywhere: a link in the docs is no import.
    let code: String =
        source.lines().map(|line| line.split("//").next().unwrap_or(line).to_owned() + "\n").collect();
    let mut starts = vec!["crate::"];
    if parent_is_root {
        starts.push("super::");
    }
    let mut names = Vec::new();
    for start in starts {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|before| {
                before == '$' || before == ':' || before == '_' || before.is_alphanumeric()
            }) {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            // `super::` may also lead from a module inside the file to the file itself.
            let is_module =
                |name: &String| start == "crate::" || FLOORS.iter().any(|(module, _, _)| module == name);
            let found = first_names(&code[at + start.len()..]).into_iter().filter(is_module);
            names.extend(found.map(|name| (line, name)));
        }
    }
    names.sort();
    names
}

/// `a::b` gives `a`; `{a, b::{c, d}, e}` gives `a`, `b` and `e`.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|&letter| letter == '_' || letter.is_alphanumeric()).collect()
    };
    let Some(list) = path.trim_start().strip_prefix('{') else { return vec![name(path)] };
    let mut depth = 0;
    let mut names = vec![name(list)];
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&list[at + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Why a module may not name another; `None` when it may.
fn objection(module: &str, named: &str) -> Option<String> {
    let find = |wanted: &str| FLOORS.iter().find(|(name, _, _)| *name == wanted);
    let table = "FLOORS in crates/gateway/tests/house.rs";
    let Some((_, floor, same_floor)) = find(module) else {
        return Some(format!("module `{module}` has no floor: give it one in {table}"));
    };
    if module == named || named == "self" {
        return None;
    }
    let Some((_, named_floor, _)) = find(named) else {
        return Some(format!("`{named}` is no module in {table}: name the module that owns it"));
    };
    if named_floor < floor || same_floor.contains(&named) {
        return None;
    }
    Some(if named_floor == floor {
        format!(
            "`{module}` and `{named}` are both on floor {floor}: move what they share down, or list it in {table}"
        )
    } else {
        format!("`{module}` is on floor {floor} and `{named}` on floor {named_floor}: imports go down only")
    })
}

#[test]
fn imports_go_down_only() {
    let src = repository().join("crates/gateway/src");
    let mut objections = Vec::new();
    for file in rust_files(&src) {
        let inside = file.strip_prefix(&src).expect("found below src");
        let parts: Vec<_> = inside.iter().map(|part| part.to_str().expect("a UTF-8 name")).collect();
        if ROOTS.contains(&parts[0]) {
            continue;
        }
        let module = parts[0].trim_end_matches(".rs");
        let parent_is_root = parts.len() == 1 || parts.as_slice() == [module, "mod.rs"];
        let source = fs::read_to_string(&file).expect("a readable file");
        let mut names = named_from_root(&source, parent_is_root);
        if names.is_empty() {
            // Even a module that imports nothing has a floor.
            names.push((1, "self".to_owned()));
        }
        for (line, named) in names {
            if let Some(objection) = objection(module, &named) {
                objections.push(format!("crates/gateway/src/{}:{line}: {objection}", inside.display()));
            }
        }
    }
    assert!(objections.is_empty(), "\n{}\n", objections.join("\n"));
}

#[test]
fn the_table_of_floors_has_no_circle() {
    let mut above: HashMap<&str, u8> = HashMap::new();
    let mut last = 0;
    for (module, floor, same_floor) in FLOORS {
        assert!(last <= *floor, "`{module}` stands below a higher floor");
        for named in *same_floor {
            assert_eq!(
                above.get(named),
                Some(floor),
                "`{module}` names `{named}`, which does not stand before it"
            );
        }
        assert_eq!(above.insert(module, *floor), None, "`{module}` stands there twice");
        last = *floor;
    }
}

#[test]
fn a_file_is_one_thought() {
    let root = repository();
    let mut objections = Vec::new();
    let mut found = Vec::new();
    for file in rust_files(&root.join("crates")) {
        let name = file
            .strip_prefix(&root)
            .expect("found below the root")
            .to_str()
            .expect("a UTF-8 name")
            .to_owned();
        let lines = fs::read_to_string(&file).expect("a readable file").lines().count();
        let long = LONG.iter().any(|(long, _)| *long == name);
        if LINES_MAX < lines && !long {
            objections.push(format!(
                "{name}:{LINES_MAX}: goes on to line {lines}: cut it where a second thought begins"
            ));
        }
        if lines <= LINES_MAX && long {
            objections
                .push(format!("{name}: {lines} lines: take it off LONG in crates/gateway/tests/house.rs"));
        }
        found.push(name);
    }
    for (long, _) in LONG {
        if !found.iter().any(|name| name == long) {
            objections.push(format!("{long}: is gone: take it off LONG in crates/gateway/tests/house.rs"));
        }
    }
    assert!(objections.is_empty(), "\n{}\n", objections.join("\n"));
}

#[test]
fn the_check_sees_every_way_to_name_a_module() {
    let source = "\
//! See [`crate::docs`].
use crate::config::Config;
use crate::{front::{a, b}, router, self};
use super::upstream; // crate::comment
mod inside { use super::*; use super::Thing; }
fn f() -> crate::openai::Head { $crate::macro_path(); other_crate::x() }
use crate::{
    serve,
    telemetry::Log,
};
";
    let named = |parent_is_root| {
        let names = named_from_root(source, parent_is_root);
        names.iter().map(|(line, name)| format!("{line} {name}")).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        named(true),
        "2 config, 3 front, 3 router, 3 self, 4 upstream, 6 openai, 7 serve, 7 telemetry"
    );
    assert_eq!(named(false), "2 config, 3 front, 3 router, 3 self, 6 openai, 7 serve, 7 telemetry");
}

#[test]
fn the_check_objects_to_what_goes_up_or_sideways() {
    let refused = |module, named, reason: &str| {
        let said = objection(module, named).unwrap_or_default();
        assert!(said.contains(reason), "{module} -> {named}: {said:?}");
    };
    refused("config", "router", "imports go down only");
    refused("router", "front", "imports go down only");
    refused("upstream", "simulated", "both on floor 2");
    refused("provider", "config", "both on floor 1");
    refused("attic", "config", "has no floor");
    refused("front", "Config", "is no module");
    for (module, named) in
        [("front", "config"), ("router", "upstream"), ("config", "config"), ("cli", "self")]
    {
        assert_eq!(objection(module, named), None, "{module} -> {named}");
    }
}
