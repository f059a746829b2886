//! The text of the batch script: the files of `src/lua` joined into one chunk.
//!
//! Redis runs the whole chunk in each call, so what it defines has its price: named numbers are put in their places (else
//! each is a variable that every function which names it must find), and a verb's functions are made only in a call that
//! asks for the verb.

use std::collections::HashMap;

/// A file of `src/lua`.
struct File {
    name: &'static str,
    text: &'static str,
    /// Made only when a call asks for it; else with the chunk.
    lazy: bool,
}

macro_rules! file {
    ($name:literal, $lazy:literal) => {
        File { name: $name, text: include_str!(concat!("../../lua/", $name, ".lua")), lazy: $lazy }
    };
}

/// In the order that `src/lua/README.md` tells.
const FILES: [File; 34] = [
    file!("lib/codes", false),
    file!("lib/amount", false),
    file!("lib/value", false),
    file!("lib/counter", false),
    file!("lib/holds", false),
    file!("lib/listed", true),
    file!("lib/settlement", true),
    file!("lib/cache", false),
    file!("lib/fixed", false),
    file!("lib/store", false),
    file!("lib/counters", false),
    file!("lib/kept", false),
    file!("lib/journal", false),
    file!("lib/ids", false),
    file!("lib/deadlines", false),
    file!("lib/admission", false),
    file!("lib/settle", true),
    file!("lib/guard", false),
    file!("lib/clock", false),
    file!("look", true),
    file!("reserve", false),
    file!("commit", true),
    file!("release", true),
    file!("extend", true),
    file!("free", true),
    file!("adjust", true),
    file!("get", true),
    file!("expire", false),
    file!("reverse", true),
    file!("install", true),
    file!("raise", true),
    file!("trim", true),
    file!("tidy", true),
    file!("batch", false),
];

/// The files of the quick way, in order.
const QUICK: [File; 5] = [
    file!("quick/read", false),
    file!("quick/settled", false),
    file!("quick/counters", false),
    file!("quick/decide", false),
    file!("quick/write", false),
];

/// The text of the script that runs a batch the quick way.
pub(super) fn quick() -> String {
    let lines = QUICK.iter().chain(&FILES[..1]).flat_map(|file| file.text.lines());
    let numbers = numbers(lines);
    let mut chunk = String::from("#!lua\n");
    for line in QUICK.iter().flat_map(|file| file.text.lines()).filter(|line| named(line).is_none()) {
        put_in(line, &numbers, &mut chunk);
        chunk.push('\n');
    }
    chunk
}

/// The text of the script that runs a batch.
pub(super) fn batch() -> String {
    let numbers = numbers(FILES.iter().flat_map(|file| file.text.lines()));
    let mut chunk = String::with_capacity(128 * 1024);
    for file in &FILES {
        // A file is the table of that name, also when it is made later.
        let table = file.name.rsplit('/').next().unwrap_or_default();
        if file.lazy {
            chunk.push_str(&format!("local {table} = lazy(function() "));
        }
        for line in file.text.lines() {
            if named(line).is_none() {
                put_in(line, &numbers, &mut chunk);
            }
            chunk.push('\n');
        }
        if file.lazy {
            chunk.push_str(&format!("return {table} end)\n"));
        }
    }
    chunk
}

/// The names and the numbers of a line `local A, B = 1, 2`.
fn named(line: &'static str) -> Option<(&'static str, &'static str)> {
    let (names, values) = line.strip_prefix("local ")?.split_once(" = ")?;
    let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_, ".contains(&byte);
    let is_value = |byte: u8| byte.is_ascii_digit() || b", ".contains(&byte);
    (names.bytes().all(is_name) && values.bytes().all(is_value)).then_some((names, values))
}

/// The named numbers of the contract, and those that a file has for itself.
fn numbers(lines: impl Iterator<Item = &'static str>) -> HashMap<&'static str, &'static str> {
    lines.filter_map(named).flat_map(|(names, values)| names.split(", ").zip(values.split(", "))).collect()
}

/// Writes a line with its named numbers put in; comments and texts in quotes stay as they are.
fn put_in(line: &str, numbers: &HashMap<&str, &str>, out: &mut String) {
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '-' if rest.starts_with("--") => rest.len(),
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            _ if is_word(first) => rest.find(|next| !is_word(next)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        out.push_str(numbers.get(piece).unwrap_or(&piece));
        rest = after;
    }
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Scripts that are sent by themselves.
    const ALONE: [&str; 3] = ["adopt", "figures", "forget"];

    #[test]
    fn every_file_is_in_the_script_in_the_order_of_the_page() {
        let page = include_str!("../../lua/README.md");
        let order = page.split_once("**Order of the files**:").unwrap().1.split_once('.').unwrap().0;
        let told: Vec<&str> = order.split('`').skip(1).step_by(2).collect();
        assert_eq!(FILES.iter().map(|file| file.name).collect::<Vec<_>>(), told);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lua");
        let names = |folder: &Path| -> Vec<String> {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            let lua = entries.filter(|path| path.extension().is_some_and(|end| end == "lua"));
            lua.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
        };
        let verbs = names(&folder).into_iter().filter(|name| !ALONE.contains(&name.as_str()));
        let libs = names(&folder.join("lib")).into_iter().map(|name| format!("lib/{name}"));
        let quick = names(&folder.join("quick")).into_iter().map(|name| format!("quick/{name}"));
        let mut there: Vec<String> = verbs.chain(libs).chain(quick).collect();
        let mut joined: Vec<&str> = FILES.iter().chain(&QUICK).map(|file| file.name).collect();
        there.sort();
        joined.sort_unstable();
        assert_eq!(there, joined);
    }

    #[test]
    fn every_file_says_what_it_is_for_and_a_verb_shows_an_example() {
        for file in FILES.iter().chain(&QUICK) {
            let mut head = file.text.lines().skip_while(|line| *line == "#!lua");
            assert!(head.next().is_some_and(|line| line.starts_with("-- ")), "{}", file.name);
            let head = file.text.lines().take_while(|line| line.starts_with("--") || *line == "#!lua");
            let head: String = head.flat_map(|line| [line, "\n"]).collect();
            if !file.name.contains('/') {
                assert!(head.contains("Example:") && head.contains("Reply:"), "{}", file.name);
            }
        }
    }

    #[test]
    fn numbers_stand_in_the_place_of_their_names() {
        let known = numbers(["local A_B, C = 1, 22", "local store = {}"].into_iter());
        let mut out = String::new();
        put_in("x[A_B] = 'A_B' .. C + CC -- C", &known, &mut out);
        assert_eq!(out, "x[1] = 'A_B' .. 22 + CC -- C");
    }

    #[test]
    fn the_script_names_its_engine_first_and_none_of_the_numbers() {
        let text = batch();
        assert!(text.starts_with("#!lua\n"));
        for name in numbers(FILES[0].text.lines()).keys() {
            let named = text.lines().filter(|line| !line.trim_start().starts_with("--"));
            assert!(!named.flat_map(|line| line.split(|letter| !is_word(letter))).any(|word| word == *name), "{name}");
        }
    }
}
