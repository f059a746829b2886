//! Measured sizes, one in a word or one on each line of a file.

use crate::cli::args::value;
use crate::cli::import::records;
use crate::proto::v1::MeasuredSize;
use serde::Deserialize;

/// A line of the file, from 1, and what is wrong with it.
type BadLine = (usize, String);

/// A line of JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    account: String,
    meter: String,
    used: i64,
    expected: Option<i64>,
}

/// Reads `ACCOUNT,METER,USED[,expected=USED]`.
pub(super) fn parse(text: &str) -> Result<MeasuredSize, String> {
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let (account, meter, used, expected) = match fields.as_slice() {
        [account, meter, used] => (account, meter, used, None),
        [account, meter, used, more] => {
            let expected = more.strip_prefix("expected=");
            (
                account,
                meter,
                used,
                Some(expected.ok_or_else(|| format!("after the size comes expected=USED, not {more}"))?),
            )
        }
        _ => return Err("a size is ACCOUNT,METER,USED[,expected=USED]".to_owned()),
    };
    Ok(MeasuredSize {
        account: (*account).to_owned(),
        meter: (*meter).to_owned(),
        used: value::amount(used)?,
        expected: expected.map(value::amount).transpose()?,
    })
}

/// Reads a file: CSV whose first line names the columns account, meter, used and perhaps expected; or JSON lines.
///
/// # Errors
/// Every line that is wrong.
pub(super) fn read(text: &str) -> Result<Vec<MeasuredSize>, Vec<BadLine>> {
    let text = text.trim_start_matches('\u{feff}');
    let rows = if text.trim_start().starts_with('{') { json_lines(text) } else { comma_separated(text)? };
    let (mut sizes, mut bad) = (Vec::new(), Vec::new());
    for (line, row) in rows {
        match row {
            Ok(size) => sizes.push(size),
            Err(why) => bad.push((line, why)),
        }
    }
    if bad.is_empty() && sizes.is_empty() {
        bad.push((1, "has no sizes".to_owned()));
    }
    if bad.is_empty() { Ok(sizes) } else { Err(bad) }
}

type Rows = Vec<(usize, Result<MeasuredSize, String>)>;

fn json_lines(text: &str) -> Rows {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let row = |line: &str| {
        let Row { account, meter, used, expected } = serde_json::from_str(line).map_err(|error| error.to_string())?;
        Ok(MeasuredSize { account, meter, used, expected })
    };
    lines.map(|(index, line)| (index + 1, row(line))).collect()
}

fn comma_separated(text: &str) -> Result<Rows, Vec<BadLine>> {
    let mut records = records(text).map_err(|bad| vec![bad])?.into_iter();
    let Some((_, headings)) = records.next() else { return Ok(Rows::new()) };
    let place = |name: &str| headings.iter().position(|heading| heading == name);
    let (Some(account), Some(meter), Some(used)) = (place("account"), place("meter"), place("used")) else {
        let why = "the first line names the columns: account, meter, used, and perhaps expected";
        return Err(vec![(1, why.to_owned())]);
    };
    let expected = place("expected");
    let size = |fields: &[String]| {
        if fields.len() != headings.len() {
            return Err(format!("has {} fields, the first line {}", fields.len(), headings.len()));
        }
        let expected = expected.map(|at| fields[at].as_str()).filter(|text| !text.is_empty());
        Ok(MeasuredSize {
            account: fields[account].clone(),
            meter: fields[meter].clone(),
            used: value::amount(&fields[used])?,
            expected: expected.map(value::amount).transpose()?,
        })
    };
    Ok(records.map(|(line, fields)| (line, size(&fields))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(used: i64, expected: Option<i64>) -> MeasuredSize {
        MeasuredSize { account: "tenants/hub/repos/r".into(), meter: "storage.bytes".into(), used, expected }
    }

    #[test]
    fn sizes_come_in_words_and_files() {
        assert_eq!(parse("tenants/hub/repos/r,storage.bytes,7"), Ok(size(7, None)));
        assert_eq!(parse("tenants/hub/repos/r, storage.bytes, 7, expected=9"), Ok(size(7, Some(9))));
        assert!(parse("tenants/hub/repos/r,storage.bytes").is_err() && parse("a,b,1,2").is_err());
        let csv = "used,account,meter,expected\n7,tenants/hub/repos/r,storage.bytes,\n8,tenants/hub/repos/r,storage.bytes,7\n";
        assert_eq!(read(csv), Ok(vec![size(7, None), size(8, Some(7))]));
        let json = r#"{"account": "tenants/hub/repos/r", "meter": "storage.bytes", "used": 7}"#;
        assert_eq!(read(json), Ok(vec![size(7, None)]));
    }

    #[test]
    fn every_bad_line_is_told() {
        let bad = read("account,meter,used\na,b,-1\na,b\n").unwrap_err();
        assert_eq!(bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(read("name,size\nx,1\n").unwrap_err()[0].0, 1);
        assert_eq!(read("").unwrap_err(), [(1, "has no sizes".to_owned())]);
        assert_eq!(read("{\"account\": 1}\n").unwrap_err()[0].0, 1);
    }
}
