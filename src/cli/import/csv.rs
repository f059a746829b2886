//! Comma-separated values: quoted fields, doubled quotes, line breaks within quotes, any line ending.

/// One record: the line on which it begins, from 1, and its fields.
pub(in crate::cli) type Record = (usize, Vec<String>);

/// Takes a text apart; empty lines are left out.
///
/// # Errors
/// The line and what is wrong with it, where a quote is not closed or something follows a closed one.
pub(in crate::cli) fn records(text: &str) -> Result<Vec<Record>, (usize, String)> {
    let text = text.replace("\r\n", "\n");
    let mut records = Vec::new();
    let mut rest = text.as_str();
    let mut line = 1;
    while !rest.is_empty() {
        let (begin, whole) = (line, rest);
        let mut fields = Vec::new();
        loop {
            let (value, after) = field(rest).map_err(|what| (begin, what.to_owned()))?;
            fields.push(value);
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => break rest = after.strip_prefix('\n').unwrap_or(after),
            }
        }
        line += whole[..whole.len() - rest.len()].matches('\n').count();
        if fields != [""] {
            records.push((begin, fields));
        }
    }
    Ok(records)
}

/// The next field, and what follows it: a comma, the end of the line, or nothing.
fn field(text: &str) -> Result<(String, &str), &'static str> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let (value, after) = text.split_at(text.find([',', '\n']).unwrap_or(text.len()));
        return Ok((value.trim().to_owned(), after));
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
            None if after.is_empty() || after.starts_with([',', '\n']) => return Ok((value, after)),
            None => return Err("after a closing quote comes a comma or the end of the line"),
        }
    }
}
