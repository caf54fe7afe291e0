//! The configuration as a tree whose every value knows its file and line, so that files can be merged and every problem
//! can name its place.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::Problem;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) file: Arc<Path>,
    pub(super) line: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    String(String),
    Integer(i64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(Table),
    /// A date and a time, as it is written.
    Datetime(String),
    /// A type that no key of ours has.
    Other(&'static str),
}

impl Value {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "true or false",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
            Self::Datetime(_) => "a date",
            Self::Other(kind) => kind,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) at: Origin,
}

/// A table; keys in the order of the files.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) entries: Vec<(String, Node)>,
    pub(super) at: Origin,
}

/// Reads one file's text.
pub(super) fn parse(file: &Path, text: &str, problems: &mut Vec<Problem>) -> Table {
    let file: Arc<Path> = file.into();
    let lines: Vec<usize> = memchr::memchr_iter(b'\n', text.as_bytes()).collect();
    let line = |offset: usize| lines.partition_point(|end| *end < offset) + 1;
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        problems.push(Problem {
            file: file.to_path_buf(),
            line: error.span().map_or(0, |span| line(span.start)),
            place: String::new(),
            message: format!("not TOML: {}", error.message().replace('\n', " ")),
        });
    }
    let context = Context { file, line: &line };
    let at = context.at(0);
    context.table(table.into_inner(), at)
}

struct Context<'c> {
    file: Arc<Path>,
    line: &'c dyn Fn(usize) -> usize,
}

impl Context<'_> {
    fn at(&self, offset: usize) -> Origin {
        Origin { file: Arc::clone(&self.file), line: (self.line)(offset) }
    }

    fn table(&self, table: DeTable<'_>, at: Origin) -> Table {
        let entries = table.into_iter().map(|(key, value)| {
            let at = self.at(key.span().start);
            (key.into_inner().into_owned(), Node { value: self.value(value.into_inner(), &at), at })
        });
        Table { entries: entries.collect(), at }
    }

    fn value(&self, value: DeValue<'_>, at: &Origin) -> Value {
        match value {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Other("a number out of range"),
            },
            DeValue::Boolean(value) => Value::Boolean(value),
            DeValue::Array(items) => Value::Array(
                items
                    .into_iter()
                    .map(|item| {
                        let at = self.at(item.span().start);
                        Node { value: self.value(item.into_inner(), &at), at }
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table, at.clone())),
            DeValue::Float(_) => Value::Other("a decimal number"),
            DeValue::Datetime(instant) => Value::Datetime(instant.to_string()),
        }
    }
}

/// Merges `new` into `old`: tables key by key, lists of tables by `id`. Two values for one key are a problem that names
/// both places.
pub(super) fn merge(old: &mut Table, new: Table, place: &str, problems: &mut Vec<Problem>) {
    for (key, node) in new.entries {
        let Some((_, known)) = old.entries.iter_mut().find(|(k, _)| *k == key) else {
            old.entries.push((key, node));
            continue;
        };
        let inner = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        match (&mut known.value, node.value) {
            (Value::Table(old), Value::Table(new)) => merge(old, new, &inner, problems),
            (Value::Array(old), Value::Array(new)) if is_tables(old) && is_tables(&new) => {
                merge_tables(old, new, &inner, problems);
            }
            _ => problems.push(Problem {
                file: node.at.file.to_path_buf(),
                line: node.at.line,
                place: place.to_owned(),
                message: format!("`{key}` stands in {}:{} already; keep one", known.at.file.display(), known.at.line),
            }),
        }
    }
}

fn is_tables(items: &[Node]) -> bool {
    !items.is_empty() && items.iter().all(|item| matches!(item.value, Value::Table(_)))
}

fn merge_tables(old: &mut Vec<Node>, new: Vec<Node>, place: &str, problems: &mut Vec<Problem>) {
    for node in new {
        let id = |node: &Node| match &node.value {
            // Routes have a path where others have an id.
            Value::Table(table) => ["id", "path"].iter().find_map(|name| table.text(name)),
            _ => None,
        };
        let wanted = id(&node);
        let known = wanted.as_ref().and_then(|wanted| old.iter_mut().find(|o| id(o).as_ref() == Some(wanted)));
        match (known.map(|known| &mut known.value), node.value) {
            (Some(Value::Table(known)), Value::Table(mut table)) => {
                table.entries.retain(|(key, _)| key != "id" && key != "path");
                merge(known, table, &format!("{place} {:?}", wanted.unwrap_or_default()), problems);
            }
            (_, value) => old.push(Node { value, at: node.at }),
        }
    }
}

impl Table {
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.entries.iter().find(|(k, _)| k == key).and_then(|(_, node)| match &node.value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        })
    }
}
