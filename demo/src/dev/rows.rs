//! Reading a TOML file so that every mistake can name its line, as the sidecar's configuration does.

use std::path::{Path, PathBuf};

use grindvakt::config::Problem;
use toml::de::{DeTable, DeValue};

/// A file being read, with what is wrong in it so far.
pub(super) struct File {
    path: PathBuf,
    problems: Vec<Problem>,
}

/// A text with its line.
pub(super) type Text = (String, usize);

enum Value {
    Text(String),
    List(Vec<Result<Text, (&'static str, usize)>>),
    Rows(Vec<Row>),
    Other(&'static str),
}

/// A table. What nobody has taken when it is finished is unknown.
pub(super) struct Row {
    entries: Vec<(String, usize, Value)>,
    /// The line that it begins on.
    pub(super) line: usize,
    /// What it is called in a problem.
    pub(super) place: String,
    asked: Vec<&'static str>,
}

impl File {
    /// Reads `text`, which stands in `path`.
    pub(super) fn open(path: &Path, text: &str) -> (Self, Row) {
        let mut file = Self { path: path.to_owned(), problems: Vec::new() };
        let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        let line = |offset: usize| ends.partition_point(|end| *end < offset) + 1;
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |span| line(span.start));
            file.problem("", at, format!("not TOML: {}", error.message().replace('\n', " ")));
        }
        (file, row(table.into_inner(), 1, &line))
    }

    pub(super) fn problem(&mut self, place: &str, line: usize, message: impl Into<String>) {
        let (file, place, message) = (self.path.clone(), place.to_owned(), message.into());
        self.problems.push(Problem { file, line, place, message });
    }

    /// Every problem, in the order of the file; none when it is sound.
    pub(super) fn close(mut self) -> Result<(), Vec<Problem>> {
        self.problems.sort_by_key(|problem| problem.line);
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }

    /// Whether anything is wrong so far.
    pub(super) fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

fn row(table: DeTable<'_>, line: usize, at: &dyn Fn(usize) -> usize) -> Row {
    let entries = table.into_iter().map(|(key, value)| {
        let line = at(key.span().start);
        let read = match value.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Array(items) => {
                let tables = !items.is_empty() && items.iter().all(|item| matches!(item.get_ref(), DeValue::Table(_)));
                let items = items.into_iter().map(|item| (at(item.span().start), item.into_inner()));
                if tables {
                    let rows = items.filter_map(|(line, item)| match item {
                        DeValue::Table(table) => Some(row(table, line, at)),
                        _ => None,
                    });
                    Value::Rows(rows.collect())
                } else {
                    let texts = items.map(|(line, item)| match item {
                        DeValue::String(text) => Ok((text.into_owned(), line)),
                        other => Err((kind(&other), line)),
                    });
                    Value::List(texts.collect())
                }
            }
            other => Value::Other(kind(&other)),
        };
        (key.into_inner().into_owned(), line, read)
    });
    Row { entries: entries.collect(), line, place: String::new(), asked: Vec::new() }
}

const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

impl Value {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Rows(_) => "a list of tables",
            Self::Other(kind) => kind,
        }
    }
}

impl Row {
    fn take(&mut self, key: &'static str) -> Option<(usize, Value)> {
        self.asked.push(key);
        let at = self.entries.iter().position(|(name, ..)| name == key)?;
        let (_, line, value) = self.entries.remove(at);
        Some((line, value))
    }

    fn wrong(&self, file: &mut File, key: &str, line: usize, wanted: &str, got: &str) {
        file.problem(&self.place, line, format!("`{key}` must be {wanted}, not {got}"));
    }

    /// Whether it has the key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, ..)| name == key)
    }

    /// A text that is not empty and holds no control characters.
    pub(super) fn text(&mut self, file: &mut File, key: &'static str) -> Option<Text> {
        let (line, value) = self.take(key)?;
        match value {
            Value::Text(text) if text.trim().is_empty() => {
                file.problem(
                    &self.place,
                    line,
                    format!("`{key}` is empty; leave it out where there is nothing to say"),
                );
                None
            }
            Value::Text(text) if text.chars().any(char::is_control) => {
                file.problem(&self.place, line, format!("`{key}` holds a control character"));
                None
            }
            Value::Text(text) => Some((text, line)),
            other => {
                self.wrong(file, key, line, "a string", other.kind());
                None
            }
        }
    }

    /// A list of texts; a single text is a list of one.
    pub(super) fn texts(&mut self, file: &mut File, key: &'static str) -> Vec<Text> {
        let Some((line, value)) = self.take(key) else { return Vec::new() };
        match value {
            Value::Text(text) => vec![(text, line)],
            Value::List(items) => {
                let mut out = Vec::with_capacity(items.len());
                for item in items {
                    match item {
                        Ok(text) => out.push(text),
                        Err((got, line)) => self.wrong(file, key, line, "a list of strings", got),
                    }
                }
                out
            }
            other => {
                self.wrong(file, key, line, "a list of strings", other.kind());
                Vec::new()
            }
        }
    }

    /// `[[key]]` tables.
    pub(super) fn rows(&mut self, file: &mut File, key: &'static str) -> Vec<Self> {
        match self.take(key) {
            None => Vec::new(),
            Some((_, Value::Rows(rows))) => rows,
            Some((line, other)) => {
                self.wrong(file, key, line, &format!("a list of tables: write [[{key}]]"), other.kind());
                Vec::new()
            }
        }
    }

    /// Says what nobody has taken.
    pub(super) fn finish(self, file: &mut File) {
        for (key, line, _) in &self.entries {
            let hint =
                nearest(key, self.asked.iter().copied()).map_or_else(String::new, |k| format!("; did you mean `{k}`?"));
            file.problem(&self.place, *line, format!("`{key}` is not known here{hint}"));
        }
    }
}

/// The known word that `word` was most likely meant to be: one that two slips of a finger turn into it.
pub(super) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known.map(|known| (slips(word, known), known)).min().filter(|(slips, _)| *slips <= 2).map(|(_, known)| known)
}

/// Letters to add, drop or change (Levenshtein's distance).
fn slips(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (y, pair) in b.iter().zip(last.windows(2)) {
            let (Some(corner), Some(above), Some(left)) = (pair.first(), pair.last(), next.last()) else { break };
            next.push((corner + usize::from(x != *y)).min(above + 1).min(left + 1));
        }
        last = next;
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_a_finger_are_counted() {
        for (a, b, count) in [("", "", 0), ("anna", "anna", 0), ("ana", "anna", 1), ("nana", "anna", 2), ("", "abc", 3)]
        {
            assert_eq!((slips(a, b), slips(b, a)), (count, count), "{a} {b}");
        }
        assert_eq!(nearest("surnmae", ["given_name", "surname"].into_iter()), Some("surname"));
        assert_eq!(nearest("x", ["given_name", "surname"].into_iter()), None);
    }
}
