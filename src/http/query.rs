//! The query of our own paths.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A parameter that stands twice, is too long, or is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOnce;

/// A query as it came: decoded when asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'q>(&'q str);

impl<'q> Query<'q> {
    /// From the part after `?`; none is an empty one.
    pub fn new(text: Option<&'q str>) -> Self {
        Self(text.unwrap_or_default())
    }

    /// The query as it came: a signature may cover its very octets.
    pub const fn raw(&self) -> &'q str {
        self.0
    }

    /// The first value of `name`, decoded. A value that is no UTF-8 is none.
    pub fn get(&self, name: &str) -> Option<Cow<'q, str>> {
        self.0.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key)? == name).then(|| decode(value))?
        })
    }

    /// The value of `name`, decoded; none where it is not there.
    ///
    /// # Errors
    /// It stands more than once (RFC 6749, 3.1), has more than `limit` bytes, or is no UTF-8.
    pub fn once(&self, name: &str, limit: usize) -> Result<Option<Cow<'q, str>>, NotOnce> {
        let mut found = None;
        for pair in self.0.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if decode(key).is_some_and(|key| key == name) {
                if found.is_some() || value.len() > limit {
                    return Err(NotOnce);
                }
                found = Some(decode(value).ok_or(NotOnce)?);
            }
        }
        Ok(found)
    }

    /// Whether `name` is there and does not say no.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !matches!(&*value, "0" | "false" | "no"))
    }
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return percent_decode_str(&spaced).decode_utf8().ok().map(|s| Cow::Owned(s.into_owned()));
    }
    percent_decode_str(text).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_counts_and_is_decoded() {
        let query = Query::new(Some("rd=/a%3Fb%3D%C3%A5+c&rd=/x&choose&eid=%FF&no=false&%65=1"));
        assert_eq!(query.get("rd").as_deref(), Some("/a?b=å c"));
        assert_eq!(query.get("eid"), None);
        assert_eq!(query.get("e").as_deref(), Some("1"));
        assert!(query.flag("choose") && !query.flag("no") && !query.flag("missing"));
        assert_eq!(Query::new(None).get("rd"), None);
        let query = Query::new(Some("code=a%2Bb&state=x&state=y&%73=1&s=2&long=12345&bad=%FF"));
        assert_eq!(query.once("code", 5).ok().flatten().as_deref(), Some("a+b"));
        assert_eq!(query.once("missing", 5), Ok(None));
        for name in ["state", "s", "long", "bad"] {
            assert_eq!(query.once(name, 4), Err(NotOnce), "{name}");
        }
    }
}
