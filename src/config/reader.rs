//! Taking values out of a table, one by one, with a problem for each that is missing, of another type, or unknown.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Problem;
use super::tree::{Node, Origin, Table, Value};
use crate::base::UnixTime;

/// A text with its place.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) at: Origin,
}

/// Where problems gather.
pub(super) type Problems = RefCell<Vec<Problem>>;

/// A table being read. What nobody has taken when it is finished is unknown.
pub(super) struct Section<'p> {
    table: Table,
    pub(super) place: String,
    asked: Vec<&'static str>,
    pub(super) problems: &'p Problems,
}

impl<'p> Section<'p> {
    pub(super) fn new(table: Table, place: &str, problems: &'p Problems) -> Self {
        Self { table, place: place.to_owned(), asked: Vec::new(), problems }
    }

    pub(super) fn at(&self) -> &Origin {
        &self.table.at
    }

    pub(super) fn problem(&self, at: &Origin, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem {
            file: at.file.to_path_buf(),
            line: at.line,
            place: self.place.clone(),
            message: message.into(),
        });
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.asked.push(key);
        let at = self.table.entries.iter().position(|(k, _)| k == key)?;
        Some(self.table.entries.remove(at).1)
    }

    fn wrong(&self, key: &str, node: &Node, wanted: &str) {
        self.problem(&node.at, format!("`{key}` must be {wanted}, not {}", node.value.kind()));
    }

    pub(super) fn missing(&self, key: &str, what: &str) {
        self.problem(&self.table.at.clone(), format!("`{key}` is missing: {what}"));
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<Text> {
        let node = self.take(key)?;
        match node.value {
            Value::String(text) => Some(Text { text, at: node.at }),
            _ => {
                self.wrong(key, &node, "a string");
                None
            }
        }
    }

    pub(super) fn required(&mut self, key: &'static str, what: &str) -> Option<Text> {
        let there = self.has(key);
        let text = self.text(key);
        if !there {
            self.missing(key, what);
        }
        match text {
            Some(text) if text.text.trim().is_empty() => {
                self.problem(&text.at, format!("`{key}` is empty: {what}"));
                None
            }
            text => text,
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.entries.iter().any(|(k, _)| k == key)
    }

    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        match self.take(key) {
            None => default,
            Some(Node { value: Value::Boolean(value), .. }) => value,
            Some(node) => {
                self.wrong(key, &node, "true or false");
                default
            }
        }
    }

    /// A list of texts; a single text counts as a list of one.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<Text>> {
        let node = self.take(key)?;
        match node.value {
            Value::String(text) => Some(vec![Text { text, at: node.at }]),
            Value::Array(items) => {
                let mut out = Vec::with_capacity(items.len());
                for item in items {
                    match item.value {
                        Value::String(text) => out.push(Text { text, at: item.at }),
                        _ => self.wrong(key, &item, "a list of strings"),
                    }
                }
                Some(out)
            }
            _ => {
                self.wrong(key, &node, "a list of strings");
                None
            }
        }
    }

    /// A list that demands or restricts something. An empty one is a slip, of a template most likely, and would demand
    /// nothing.
    pub(super) fn some_texts(&mut self, key: &'static str) -> Vec<Text> {
        self.not_empty(key);
        self.texts(key).unwrap_or_default()
    }

    /// Says so where `key` holds an empty list.
    pub(super) fn not_empty(&self, key: &'static str) {
        let found = self.table.entries.iter().find(|(k, _)| k == key).map(|(_, node)| node);
        if let Some(Node { value: Value::Array(items), at }) = found
            && items.is_empty()
        {
            self.problem(at, format!("`{key}` is an empty list; leave it out if nothing is meant by it"));
        }
    }

    /// A duration: `"90s"`, `"30m"`, `"8h"`, `"10d"`, `"500ms"`, or whole seconds.
    pub(super) fn duration(&mut self, key: &'static str, default: Duration) -> Duration {
        let Some(node) = self.take(key) else { return default };
        let read = match &node.value {
            Value::Integer(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
            Value::String(text) => duration(text),
            _ => None,
        };
        read.unwrap_or_else(|| {
            self.problem(&node.at, format!("`{key}` must be a duration such as \"60s\", \"30m\" or \"8h\""));
            default
        })
    }

    /// An instant with its offset, as a text or as TOML's own: `2026-12-01T22:00:00+01:00`. It must be there.
    pub(super) fn instant(&mut self, key: &'static str) -> Option<UnixTime> {
        let Some(node) = self.take(key) else {
            self.missing(key, "an instant such as 2026-12-01T22:00:00+01:00");
            return None;
        };
        let read = match &node.value {
            Value::String(text) | Value::Datetime(text) => UnixTime::parse_rfc3339(text).ok(),
            _ => None,
        };
        if read.is_none() {
            // Without an offset it would hang on where the sidecar runs.
            let message = "must be an instant with an offset, such as 2026-12-01T22:00:00+01:00";
            self.problem(&node.at, format!("`{key}` {message}"));
        }
        read
    }

    /// Whether `key` holds a table.
    pub(super) fn holds_table(&self, key: &str) -> bool {
        self.table.entries.iter().any(|(k, node)| k == key && matches!(node.value, Value::Table(_)))
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: usize,
        bounds: std::ops::RangeInclusive<usize>,
    ) -> usize {
        let Some(node) = self.take(key) else { return default };
        let read = match &node.value {
            Value::Integer(number) => usize::try_from(*number).ok().filter(|n| bounds.contains(n)),
            _ => None,
        };
        read.unwrap_or_else(|| {
            self.problem(
                &node.at,
                format!("`{key}` must be a whole number from {} to {}", bounds.start(), bounds.end()),
            );
            default
        })
    }

    /// One of a closed set of words.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text.text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.problem(&text.at, format!("`{key}` must be {}, not {:?}", known.join(" or "), text.text));
        }
        found
    }

    /// A path, relative to the file that names it.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(|text| beside(&text))
    }

    pub(super) fn paths(&mut self, key: &'static str) -> Vec<(PathBuf, Origin)> {
        self.texts(key).unwrap_or_default().into_iter().map(|text| (beside(&text), text.at)).collect()
    }

    /// [`Self::paths`], which an empty list is not.
    pub(super) fn some_paths(&mut self, key: &'static str) -> Vec<PathBuf> {
        self.some_texts(key).iter().map(beside).collect()
    }

    pub(super) fn section(&mut self, key: &'static str) -> Option<Section<'p>> {
        let node = self.take(key)?;
        match node.value {
            Value::Table(table) => {
                let place = if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) };
                Some(Section::new(table, &place, self.problems))
            }
            _ => {
                self.wrong(key, &node, "a table");
                None
            }
        }
    }

    /// `[[key]]` tables, each named by its `id` or `path` where it has one.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'p>> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let Value::Array(items) = node.value else {
            self.wrong(key, &node, &format!("a list of tables: write [[{key}]]"));
            return Vec::new();
        };
        let mut out = Vec::with_capacity(items.len());
        for (number, item) in items.into_iter().enumerate() {
            match item.value {
                Value::Table(table) => {
                    let name = ["id", "path"].iter().find_map(|name| table.text(name));
                    let place = name.map_or_else(|| format!("{key} {}", number + 1), |name| format!("{key} {name:?}"));
                    out.push(Section::new(table, &place, self.problems));
                }
                _ => self.wrong(key, &item, "a table"),
            }
        }
        out
    }

    /// Every remaining key with a text: for tables whose keys are the operator's own.
    pub(super) fn free_texts(&mut self) -> Vec<(String, Text)> {
        let mut out = Vec::new();
        for (key, node) in std::mem::take(&mut self.table.entries) {
            match node.value {
                Value::String(text) => out.push((key, Text { text, at: node.at })),
                _ => self.wrong(&key, &node, "a string"),
            }
        }
        out
    }

    /// Keys of the interface that this version does not carry out yet: an honest no, not a silent one.
    pub(super) fn not_yet(&mut self, keys: &[&'static str]) {
        for key in keys {
            if let Some(node) = self.take(key) {
                self.problem(&node.at, format!("this version does not support `{key}` yet"));
            }
        }
    }

    /// Takes a key of which enough has been said.
    pub(super) fn discard(&mut self, key: &'static str) {
        let _ = self.take(key);
    }

    /// Says what nobody has taken.
    pub(super) fn finish(self) {
        for (key, node) in &self.table.entries {
            let near = self.asked.iter().map(|known| (distance(key, known), known)).min();
            let hint = match near {
                Some((distance, known)) if distance <= 2 => format!("; did you mean `{known}`?"),
                _ => String::new(),
            };
            self.problem(&node.at, format!("`{key}` is not known here{hint}"));
        }
    }
}

fn beside(text: &Text) -> PathBuf {
    text.at.file.parent().unwrap_or(Path::new("")).join(&text.text)
}

pub(super) fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let millis = match text.get(digits..)?.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// Levenshtein's distance, for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (slot, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let best = (corner + usize::from(x != y)).min(left + 1).min(*slot + 1);
            corner = *slot;
            *slot = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_and_durations() {
        assert_eq!(distance("entityid", "entity_id"), 1);
        assert_eq!(distance("lable", "label"), 2);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(duration("30m"), Some(Duration::from_secs(1800)));
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        for bad in ["", "m", "30", "-1s", "1.5h", "30 minutes", "99999999999999999999s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
