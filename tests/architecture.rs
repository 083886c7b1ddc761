//! The shape of the source tree: the engine names no PostgreSQL, and a file holds one concept.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines past which a file wants splitting.
const MOST_LINES: usize = 400;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the repository");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    paths
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn the_engine_names_no_postgresql_clock_or_environment() {
    for path in sources(Path::new("src/engine")) {
        let text = fs::read_to_string(&path).expect("text");
        for word in ["pgrx", "pg_sys", "std::env", "Instant::now", "SystemTime", "std::fs"] {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}

#[test]
fn files_open_with_what_they_are_and_stay_small() {
    for path in sources(Path::new("src")) {
        let text = fs::read_to_string(&path).expect("text");
        assert!(text.starts_with("//! "), "{} does not say what it is", path.display());
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", path.display());
    }
}
