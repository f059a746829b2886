//! Rust text as the rules read it: code without comments and the insides of strings, which lines are test code, and the
//! paths that the code names.

use super::tree;
use std::collections::BTreeSet;

/// One Rust file.
pub(super) struct Source {
    /// Its lines as they are.
    pub(super) raw: Vec<String>,
    /// Its lines with comments, and the insides of strings and characters, blanked out.
    pub(super) code: Vec<String>,
    /// Which lines belong to an item under `#[cfg(test)]`.
    pub(super) test: Vec<bool>,
}

impl Source {
    /// Reads a file.
    pub(super) fn read(file: &str) -> Source {
        Source::parse(file, &tree::read(file).unwrap_or_else(|| panic!("{file} can't be read as UTF-8")))
    }

    fn parse(file: &str, text: &str) -> Source {
        let blanked = blank(text);
        let code: Vec<String> = blanked.lines().map(str::to_owned).collect();
        let whole_file = file.starts_with("tests/") || is_test_file(file);
        let test = if whole_file { vec![true; code.len()] } else { test_lines(&blanked) };
        Source { raw: text.lines().map(str::to_owned).collect(), code, test }
    }

    /// The lines of code, numbered from 1, that are not test code.
    pub(super) fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .iter()
            .zip(&self.test)
            .enumerate()
            .filter(|(_, (_, test))| !**test)
            .map(|(i, (l, _))| (i + 1, l.as_str()))
    }

    /// Every path that begins with `start` (`crate` or `quotad`): its line, and what follows, up to two segments.
    pub(super) fn paths_from(&self, start: &str) -> Vec<(usize, Vec<String>)> {
        let code = self.code.join("\n");
        let mut found = Vec::new();
        for (at, _) in code.match_indices(&format!("{start}::")) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let mut position = at + start.len() + 2;
            let mut paths = Vec::new();
            use_tree(code.as_bytes(), &mut position, &[], &mut paths);
            found.extend(paths.into_iter().map(|path| (line, path)));
        }
        found
    }
}

/// Whether `word` stands in `line` as a word of its own; `::` may be part of it.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(part_of_word)
            && !line[at + word.len()..].chars().next().is_some_and(part_of_word)
    })
}

/// A file that its parent takes in by `#[cfg(test)] mod name;`, or that lies below such a one.
fn is_test_file(file: &str) -> bool {
    let mut path = file.trim_end_matches(".rs").trim_end_matches("/mod").to_owned();
    while let Some((parent, name)) = path.clone().rsplit_once('/') {
        let declares = [format!("{parent}/mod.rs"), format!("{parent}.rs"), format!("{parent}/lib.rs")];
        for text in declares.iter().filter_map(|candidate| tree::read(candidate)) {
            let tight = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if tight.contains(&format!("#[cfg(test)] mod {name};")) {
                return true;
            }
        }
        path = parent.to_owned();
    }
    false
}

/// Which lines belong to an item under `#[cfg(test)]`: from the attribute to the item's `;` or closing brace.
fn test_lines(code: &str) -> Vec<bool> {
    let mut marked = BTreeSet::new();
    for (at, _) in code.match_indices("#[cfg(test)]") {
        let first = code[..at].matches('\n').count();
        let (mut depth, mut end) = (0usize, code.len());
        for (i, c) in code[at..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && (c == ';' || c == '}') {
                end = at + i;
                break;
            }
        }
        marked.extend(first..=code[..end].matches('\n').count());
    }
    (0..code.lines().count()).map(|line| marked.contains(&line)).collect()
}

/// Reads the rest of a path or of a tree of paths, and appends its leaves, cut to two segments.
fn use_tree(code: &[u8], at: &mut usize, prefix: &[String], found: &mut Vec<Vec<String>>) {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let skip_space = |at: &mut usize| {
        while code.get(*at).is_some_and(u8::is_ascii_whitespace) {
            *at += 1;
        }
    };
    skip_space(at);
    if code.get(*at) == Some(&b'{') {
        *at += 1;
        loop {
            use_tree(code, at, prefix, found);
            // Over `as name` and blanks to the next leaf or the end.
            while code.get(*at).is_some_and(|b| *b != b',' && *b != b'}') {
                *at += 1;
            }
            let ended = code.get(*at) != Some(&b',');
            *at += 1;
            skip_space(at);
            if ended || code.get(*at) == Some(&b'}') {
                break;
            }
        }
        return;
    }
    let start = *at;
    while code.get(*at).is_some_and(|b| is_word(*b) || *b == b'*') {
        *at += 1;
    }
    let mut path = prefix.to_vec();
    path.push(String::from_utf8_lossy(&code[start..*at]).into_owned());
    if code[*at..].starts_with(b"::") && code.get(*at + 2) != Some(&b'<') {
        *at += 2;
        return use_tree(code, at, &path, found);
    }
    path.truncate(2);
    found.push(path);
}

/// Blanks out comments, and the insides of strings and characters; line breaks stay.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    let hide = |c: char| if c == '\n' { '\n' } else { ' ' };
    while i < chars.len() {
        let end = match chars[i] {
            '/' if chars.get(i + 1) == Some(&'/') => line_end(&chars, i),
            '/' if chars.get(i + 1) == Some(&'*') => comment_end(&chars, i),
            '"' => string_end(&chars, i),
            'r' if raw_hashes(&chars, i).is_some() => raw_end(&chars, i),
            '\'' => character_end(&chars, i),
            _ => i,
        };
        if end == i {
            out.push(chars[i]);
            i += 1;
        } else {
            out.extend(chars[i..end].iter().map(|c| hide(*c)));
            i = end;
        }
    }
    out
}

fn line_end(chars: &[char], from: usize) -> usize {
    (from..chars.len()).find(|i| chars[*i] == '\n').unwrap_or(chars.len())
}

fn comment_end(chars: &[char], from: usize) -> usize {
    let (mut depth, mut i) = (0, from);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i.min(chars.len())
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut i = from + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// At the `r` of `r"…"` or `r#"…"#`: how many hashes.
fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|i| chars[i]);
    if before.is_some_and(|c| (c.is_alphanumeric() && c != 'b') || c == '_') {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn raw_end(chars: &[char], from: usize) -> usize {
    let hashes = raw_hashes(chars, from).unwrap_or(0);
    let closes =
        |i: &usize| chars[*i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    (from + hashes + 2..chars.len()).find(closes).map_or(chars.len(), |i| i + 1 + hashes)
}

/// At a `'`: the end of the character, or `from` itself if it is a lifetime.
fn character_end(chars: &[char], from: usize) -> usize {
    if chars.get(from + 1) == Some(&'\\') {
        return (from + 3..chars.len()).find(|i| chars[*i] == '\'').map_or(chars.len(), |i| i + 1);
    }
    if chars.get(from + 2) == Some(&'\'') { from + 3 } else { from }
}

#[test]
fn code_is_told_from_comments_strings_and_tests() {
    let text = "use crate::a::{b::C, d as e}; // crate::x\nlet s = \"crate::y\"; let c = '\"'; /* a /* b */ crate::z */\n\
                let r = r#\"crate::w \" \"#; let l: &'static str = b\"x\";\n#[cfg(test)]\nmod tests {\n    use crate::t;\n}\n\
                fn f() { crate::g::<u8>() }";
    let source = Source::parse("src/example.rs", text);
    let paths: Vec<String> =
        source.paths_from("crate").into_iter().map(|(line, path)| format!("{line} {}", path.join("::"))).collect();
    assert_eq!(paths, ["1 a::b", "1 a::d", "6 t", "8 g"]);
    assert_eq!(source.test, [false, false, false, true, true, true, true, false]);
    assert!(source.code[2].contains("'static str"));
    assert!(has_word("let x: f64;", concat!("f", "64")) && !has_word("buf64", concat!("f", "64")));
}
