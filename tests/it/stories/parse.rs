//! From the text of a file to its stories: headings with the items they claim, and steps with what is expected of them.

use super::folder;
use std::time::Duration;

/// One story.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    /// Its heading, without `#`.
    pub(crate) heading: String,
    /// Items of FEATURES that it shows: the words at the beginning of its heading.
    pub(crate) claims: Vec<String>,
    /// Where it begins, from 1.
    pub(crate) line: usize,
    /// What happens, the file's preamble first.
    pub(crate) steps: Vec<Step>,
}

/// One line of a story, with the block below it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Where, from 1.
    pub(crate) line: usize,
    /// The operation and its arguments.
    pub(crate) words: Vec<String>,
    /// What stands after `->`.
    pub(crate) expected: Option<String>,
    /// The indented lines below, without their indentation.
    pub(crate) block: String,
}

impl Step {
    /// The step without `eventually`, and how long it may take until its answer is as expected.
    pub(super) fn patience(&self) -> (Step, Duration) {
        match self.words.split_first() {
            Some((word, rest)) if word == "eventually" => {
                (Step { words: rest.to_vec(), ..self.clone() }, Duration::from_secs(10))
            }
            _ => (self.clone(), Duration::ZERO),
        }
    }

    /// The time to which it sets the clock, if that is what it does.
    pub(super) fn clock(&self) -> Option<&str> {
        let [verb, time] = self.words.as_slice() else { return None };
        (verb == "clock" && !time.starts_with('+')).then_some(time)
    }
}

/// Reads a file by its name without `.story`.
pub(crate) fn read(name: &str) -> Vec<Story> {
    let path = folder().join(format!("{name}.story"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    parse(&text).unwrap_or_else(|(line, why)| panic!("tests/it/stories/{name}.story:{line}: {why}"))
}

fn parse(text: &str) -> Result<Vec<Story>, (usize, String)> {
    let (mut preamble, mut stories): (Vec<Step>, Vec<Story>) = (Vec::new(), Vec::new());
    for (line, text) in text.lines().enumerate().map(|(i, text)| (i + 1, text.trim_end())) {
        let steps = stories.last_mut().map_or(&mut preamble, |story| &mut story.steps);
        if text.is_empty() || text.starts_with("--") {
            continue;
        }
        if let Some(heading) = text.strip_prefix("# ") {
            let steps = preamble.clone();
            stories.push(Story { heading: heading.to_owned(), claims: claims(heading), line, steps });
        } else if let Some(block) = text.strip_prefix("    ") {
            let step = steps.last_mut().ok_or_else(|| (line, String::from("a block below nothing")))?;
            step.block.push_str(block);
            step.block.push('\n');
        } else {
            let (call, expected) = match text.split_once(" -> ") {
                Some((call, expected)) => (call, Some(expected.trim().to_owned())),
                None => (text, None),
            };
            let words = words(call).map_err(|why| (line, why))?;
            steps.push(Step { line, words, expected, block: String::new() });
        }
    }
    Ok(stories)
}

/// The items at the beginning of a heading or of a comment: `S0.30, X.01: text` or `S0.30 text`.
pub(crate) fn claims(heading: &str) -> Vec<String> {
    heading
        .split([' ', ',', ':'])
        .filter(|word| !word.is_empty())
        .take_while(|word| is_item(word))
        .map(str::to_owned)
        .collect()
}

/// `S0.30`, `X.01`, or one of the contradictions, `K7`.
fn is_item(word: &str) -> bool {
    let digits = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let behind = |letter: char, text: &str| text.strip_prefix(letter).is_some_and(|number| digits(number, 2));
    match word.split_once('.') {
        Some((part, item)) => item.len() == 2 && digits(item, 2) && (part == "X" || behind('S', part)),
        None => behind('K', word),
    }
}

/// Words parted by blanks; `"..."` keeps blanks together, also behind `key=`. Without quotes in the answer.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quoted { Err(format!("a quote is not closed: {text}")) } else { Ok(words) }
}

#[test]
fn a_file_is_read() {
    let text =
        "catalog x\n\n# S0.01, X.02: two\n-- why\nreserve r \"a b\" k=\"c d\" -> held 1; x\n    a:\n      b\n# free\n";
    let stories = parse(text).unwrap();
    assert_eq!(stories[0].claims, ["S0.01", "X.02"]);
    assert_eq!((stories[0].line, stories[0].steps.len(), stories[1].claims.len()), (3, 2, 0));
    let step = &stories[0].steps[1];
    assert_eq!(step.words, ["reserve", "r", "a b", "k=c d"]);
    assert_eq!((step.line, step.expected.as_deref(), step.block.as_str()), (5, Some("held 1; x"), "a:\n  b\n"));
    assert!(parse("    a").is_err() && parse("a \"b").is_err());
}
