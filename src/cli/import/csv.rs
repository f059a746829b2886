//! Comma-separated values: quoted fields, doubled quotes, line breaks within quotes, any line ending.

/// One record: the line on which it begins, from 1, and its fields.
pub(super) type Record = (usize, Vec<String>);

/// Takes a text apart; empty lines are left out.
///
/// # Errors
/// The line and what is wrong with it, where quotes don't close or something follows them.
pub(super) fn records(text: &str) -> Result<Vec<Record>, (usize, String)> {
    let mut records = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let begin = line;
        let mut fields = Vec::new();
        loop {
            let (field, after) = field(rest).map_err(|what| (begin, what))?;
            line += rest[..rest.len() - after.len()].matches('\n').count();
            fields.push(field);
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => break rest = after,
            }
        }
        if let Some(after) = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')) {
            (rest, line) = (after, line + 1);
        }
        if fields != [""] {
            records.push((begin, fields));
        }
    }
    Ok(records)
}

/// The next field, and what follows it: a comma, the end of the line or nothing.
fn field(text: &str) -> Result<(String, &str), String> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        // The carriage return of a line ending belongs to that.
        let end = if text[end..].starts_with('\n') && text[..end].ends_with('\r') { end - 1 } else { end };
        let end = if end == text.len() && text.ends_with('\r') { end - 1 } else { end };
        return Ok((text[..end].trim().to_owned(), text[end..].strip_suffix_at_end()));
    };
    let mut value = String::new();
    loop {
        let (part, after) = rest.split_once('"').ok_or("a quote is not closed")?;
        value.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                value.push('"');
                rest = more;
            }
            None if after.is_empty() || after.starts_with([',', '\n']) || after.starts_with("\r\n") => {
                return Ok((value, after));
            }
            None => return Err("after a closing quote comes a comma or the end of the line".to_owned()),
        }
    }
}
