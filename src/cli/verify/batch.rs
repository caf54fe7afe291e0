//! `verify --batch`: NDJSON in, NDJSON out. A line that is no good gets a rejected line; nothing ends the run but the end.

use std::borrow::Cow;
use std::io::{self, BufRead, Write};

use serde_json::{Value, json};

use super::judge::{Judge, Question};
use crate::base::UnixTime;

/// Longer lines are passed over unread: the largest message is 256 KiB, JSON escapes make six bytes of one.
const LINE_BYTES: usize = 16 * 1024 * 1024;

/// One line. Unknown members are refused: a misspelled `in_response_to` would ask another question.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    #[serde(default)]
    id: Value,
    #[serde(borrow)]
    assertion: Cow<'l, str>,
    #[serde(borrow, default)]
    at: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    in_response_to: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    provider: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    route: Option<Cow<'l, str>>,
}

/// Judges every line of `input`; returns whether all were accepted.
///
/// # Errors
/// Reading or writing failed.
pub(super) async fn run(
    judge: &Judge,
    mut input: impl BufRead,
    mut output: impl Write,
    clock: impl Fn() -> UnixTime,
) -> io::Result<bool> {
    let (mut line, mut all_good) = (Vec::new(), true);
    loop {
        line.clear();
        let verdict = match read_line(&mut input, &mut line)? {
            Read::End => return Ok(all_good),
            Read::Line if line.trim_ascii().is_empty() => continue,
            Read::Line => answer(judge, &line, clock()).await,
            Read::TooLong => {
                refused(&Value::Null, "message_too_large", &format!("a line of more than {LINE_BYTES} bytes"))
            }
        };
        all_good &= verdict.get("verdict").and_then(Value::as_str) == Some("accepted");
        serde_json::to_writer(&mut output, &verdict)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
}

fn refused(id: &Value, code: &str, detail: &str) -> Value {
    json!({
        "id": id, "verdict": "rejected", "code": code, "detail": detail, "provider": null, "protocol": null,
        "loa": null, "unchecked": [],
    })
}

async fn answer(judge: &Judge, line: &[u8], now: UnixTime) -> Value {
    // serde_json itself bounds how deep JSON may nest.
    let parsed: Line<'_> = match serde_json::from_slice(line) {
        Ok(parsed) => parsed,
        Err(e) => {
            // The message names a column, never the content.
            let what = match e.classify() {
                serde_json::error::Category::Data => "a member is missing, unknown, doubled or of another type",
                _ => "not a JSON object",
            };
            let id = serde_json::from_slice::<Value>(line).ok().and_then(|v| v.get("id").cloned()).unwrap_or_default();
            return refused(&id, "line_malformed", &format!("{what}, at column {}", e.column()));
        }
    };
    let at = match parsed.at.as_deref().map(UnixTime::parse_rfc3339).transpose() {
        Ok(at) => at,
        Err(e) => return refused(&parsed.id, "line_malformed", &format!("at: {e}")),
    };
    let question = Question {
        message: Cow::Borrowed(parsed.assertion.as_bytes()),
        at,
        in_response_to: parsed.in_response_to.as_deref(),
        provider: parsed.provider.as_deref(),
        route: parsed.route.as_deref(),
    };
    judge.judge(&question, now).await.as_json(&parsed.id, true)
}

enum Read {
    Line,
    TooLong,
    End,
}

/// Reads up to the next line feed; of a line that is too long nothing is kept.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Read> {
    let (mut any, mut long) = (false, false);
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if chunk.is_empty() {
            return Ok(if long {
                Read::TooLong
            } else if any {
                Read::Line
            } else {
                Read::End
            });
        }
        any = true;
        let end = memchr::memchr(b'\n', chunk);
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        long |= line.len() + part.len() > LINE_BYTES;
        if long {
            line.clear();
        } else {
            line.extend_from_slice(part);
        }
        let used = end.map_or(chunk.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(if long { Read::TooLong } else { Read::Line });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_the_next_one_is_read() {
        let mut input = vec![b'a'; LINE_BYTES + 1];
        input.extend_from_slice(b"\nnext\n\nlast");
        let mut input = io::BufReader::with_capacity(4096, input.as_slice());
        let mut seen = Vec::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            match read_line(&mut input, &mut line).unwrap() {
                Read::End => break,
                Read::TooLong => seen.push("(too long)".to_owned()),
                Read::Line => seen.push(String::from_utf8(line.clone()).unwrap()),
            }
        }
        assert_eq!(seen, ["(too long)", "next", "", "last"]);
    }
}
