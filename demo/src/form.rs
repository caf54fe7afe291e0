//! HTML forms, both ways: `application/x-www-form-urlencoded` bodies, and the forms of a page.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// The pairs of a query or a form body. What is no UTF-8 after decoding is left out.
pub fn parse(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8().ok().map(|s| s.into_owned());
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

/// The pairs as a form body or a query.
pub fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let one = |(name, value): (&str, &str)| {
        format!("{}={}", utf8_percent_encode(name, FORM), utf8_percent_encode(value, FORM))
    };
    pairs.into_iter().map(one).collect::<Vec<_>>().join("&")
}

/// The first value of `name`.
pub fn get<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// Text for the inside of an HTML element or a quoted attribute.
pub fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn unescape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let decoded = from.split_once(';').and_then(|(name, after)| {
            let name = name.get(1..)?;
            let c = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((c, after))
        });
        match decoded {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => {
                out.push('&');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// A form of a page, with what would be sent if a person only pressed the button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Where it goes, as written; empty when the page names no address.
    pub action: String,
    /// Whether it is posted.
    pub post: bool,
    /// The fields, in the order of the page: hidden ones, chosen radio buttons and options.
    pub fields: Vec<(String, String)>,
}

impl Form {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        get(&self.fields, name)
    }

    /// The same form with a field filled in or changed.
    #[must_use]
    pub fn fill(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(n, _)| n == name) {
            Some((_, v)) => *v = value.to_owned(),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
        self
    }
}

/// A start or end tag: its lower-case name (with `/` for an end tag) and its attributes.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        get(&self.attributes, name)
    }
}

/// The tags of a page, for pages as plain as ours: no scripts that hold `<`, attributes in quotes.
fn tags(html: &str) -> Vec<Tag> {
    let mut out = Vec::new();
    let mut rest = html;
    while let Some((_, from)) = rest.split_once('<') {
        if let Some(comment) = from.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let mut quoted = None;
        let end = from.find(|c| match (quoted, c) {
            (None, '>') => true,
            (None, '"' | '\'') => {
                quoted = Some(c);
                false
            }
            (Some(q), c) if q == c => {
                quoted = None;
                false
            }
            _ => false,
        });
        let (inside, after) = from.split_at(end.unwrap_or(from.len()));
        rest = after;
        out.push(tag(inside.trim_end_matches('/')));
    }
    out
}

fn tag(inside: &str) -> Tag {
    let (name, mut rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        if key.is_empty() && after.is_empty() {
            break;
        }
        let (value, after) = match after.strip_prefix('=') {
            None => ("", after),
            Some(value) => match value.strip_prefix(['"', '\'']) {
                Some(inner) => {
                    let quote = value.get(..1).unwrap_or("\"");
                    inner.split_once(quote).unwrap_or((inner, ""))
                }
                None => value.split_at(value.find(char::is_whitespace).unwrap_or(value.len())),
            },
        };
        attributes.push((key.to_ascii_lowercase(), unescape_html(value)));
        rest = after;
    }
    Tag { name: name.to_ascii_lowercase(), attributes }
}

/// The forms of a page.
pub fn forms(html: &str) -> Vec<Form> {
    let mut out: Vec<Form> = Vec::new();
    let mut open = false;
    let mut select: Option<String> = None;
    for tag in tags(html) {
        if tag.name == "form" {
            open = true;
            out.push(Form {
                action: tag.get("action").unwrap_or_default().to_owned(),
                post: tag.get("method").is_some_and(|m| m.eq_ignore_ascii_case("post")),
                fields: Vec::new(),
            });
            continue;
        }
        let Some(form) = out.last_mut().filter(|_| open) else { continue };
        match tag.name.as_str() {
            "/form" => open = false,
            "select" => select = tag.get("name").map(str::to_owned),
            "/select" => select = None,
            "option" => {
                // The first option is sent unless another is marked.
                let (Some(name), Some(value)) = (&select, tag.get("value")) else { continue };
                if tag.get("selected").is_some() {
                    *form = std::mem::replace(form, Form { action: String::new(), post: false, fields: vec![] })
                        .fill(name, value);
                } else if form.field(name).is_none() {
                    form.fields.push((name.clone(), value.to_owned()));
                }
            }
            "input" => {
                let Some(name) = tag.get("name") else { continue };
                let sent = match tag.get("type").unwrap_or("text") {
                    "radio" | "checkbox" => tag.get("checked").is_some(),
                    "submit" | "button" => false,
                    _ => true,
                };
                if sent {
                    form.fields.push((name.to_owned(), tag.get("value").unwrap_or_default().to_owned()));
                }
            }
            _ => {}
        }
    }
    out
}

/// The links of a page: the addresses of its `a` elements, as written.
pub fn links(html: &str) -> Vec<String> {
    let hrefs = tags(html).into_iter().filter(|t| t.name == "a");
    hrefs.filter_map(|t| t.get("href").map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_a_browser_would_send_them() {
        let html = r#"<p>a</p><form method="post" action="/x?a=1&amp;b=2"><input type="hidden" name="h" value="&quot;&#xE5;&#229;">
            <input type=radio name=r value=1><input type="radio" name="r" value="2" checked>
            <select name="s"><option value="a">A</option><option value="b" selected>B</option></select>
            <select name="t"><option value="c">C</option></select><input type="submit" name="go" value="x"></form>
            <a href="/y?c=1&amp;d">y</a>"#;
        let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        let form = Form {
            action: "/x?a=1&b=2".to_owned(),
            post: true,
            fields: vec![pair("h", "\"åå"), pair("r", "2"), pair("s", "b"), pair("t", "c")],
        };
        assert_eq!(forms(html), [form]);
        assert_eq!(links(html), ["/y?c=1&d"]);
    }

    #[test]
    fn bodies_survive_both_ways() {
        let body = encode([("a b", "å+&=%"), ("c", "")]);
        let back = parse(&body);
        assert_eq!(back, [("a b".to_owned(), "å+&=%".to_owned()), ("c".to_owned(), String::new())]);
        assert_eq!(parse("a+b=c%2Bd"), [("a b".to_owned(), "c+d".to_owned())]);
    }
}
