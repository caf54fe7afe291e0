//! The agency's picture: read from a local file when the configuration is, and held against what a page may show.
//!
//! Nothing is fetched, and nothing in it may run or fetch. Browsers run no script of a picture; whoever opens its
//! address by itself would, so an SVG is held against a list of what draws.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::reader::Section;
use crate::base::limits::{LOGO_BYTES, SVG};
use crate::verify::xml;

/// A picture for our pages.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    /// Where it is from.
    pub file: PathBuf,
    /// Its media type.
    pub media_type: &'static str,
    /// The whole of it.
    pub bytes: Bytes,
}

impl std::fmt::Debug for Logo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logo({}, {}, {} bytes)", self.file.display(), self.media_type, self.bytes.len())
    }
}

pub(super) fn read_logo(section: &mut Section<'_>, key: &'static str) -> Option<Logo> {
    let text = section.text(key)?;
    let file = text.at.file.parent().unwrap_or(Path::new("")).join(&text.text);
    match load(&file) {
        Ok(logo) => Some(logo),
        Err(wrong) => {
            section.problem(&text.at, format!("`{key}`: {} {wrong}", file.display()));
            None
        }
    }
}

fn load(file: &Path) -> Result<Logo, String> {
    let size = std::fs::metadata(file).map_err(|e| format!("cannot be read: {e}"))?.len();
    if size > LOGO_BYTES {
        return Err(format!("has {size} bytes; a page's picture may have {LOGO_BYTES}"));
    }
    let bytes = std::fs::read(file).map_err(|e| format!("cannot be read: {e}"))?;
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let media_type = match extension.as_str() {
        "svg" => {
            svg(&bytes)?;
            "image/svg+xml"
        }
        "png" if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => "image/png",
        "jpg" | "jpeg" if bytes.starts_with(b"\xff\xd8\xff") => "image/jpeg",
        "webp" if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => "image/webp",
        "png" | "jpg" | "jpeg" | "webp" => return Err(format!("is no {extension}, whatever its name says")),
        _ => return Err("must be an .svg, .png, .jpg or .webp".to_owned()),
    };
    Ok(Logo { file: file.to_path_buf(), media_type, bytes: bytes.into() })
}

const SVG_NS: &str = "http://www.w3.org/2000/svg";
const XLINK_NS: &str = "http://www.w3.org/1999/xlink";

/// What draws, describes, or groups. Not here: `script`; `foreignObject`, which holds HTML; `a`, `image` and `feImage`,
/// which lead elsewhere; `animate`, `set` and their kin, which can write an `href`.
const DRAWS: &[&str] = &[
    "circle",
    "clipPath",
    "defs",
    "desc",
    "ellipse",
    "feBlend",
    "feColorMatrix",
    "feComposite",
    "feFlood",
    "feGaussianBlur",
    "feMerge",
    "feMergeNode",
    "feOffset",
    "filter",
    "g",
    "line",
    "linearGradient",
    "marker",
    "mask",
    "path",
    "pattern",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "stop",
    "style",
    "svg",
    "symbol",
    "text",
    "textPath",
    "title",
    "tspan",
    "use",
];

/// Refuses an SVG with anything in it that could run or load something.
fn svg(bytes: &[u8]) -> Result<(), String> {
    let document = xml::read(bytes, &SVG).map_err(|reject| {
        format!("is no SVG that we take ({}): save it as plain SVG, without a DOCTYPE", reject.code())
    })?;
    if !document.root().is(SVG_NS, "svg") {
        return Err("is no SVG: its root must be `svg`".to_owned());
    }
    for element in document.elements() {
        let name = element.local_name();
        if element.namespace() != SVG_NS || !DRAWS.contains(&name) {
            return Err(format!("holds the element `{name}`, which does not only draw; save it as plain SVG"));
        }
        if name == "style" && loads(&element.text().unwrap_or_else(|| "@import".into())) {
            return Err("holds a style that loads something".to_owned());
        }
        for (namespace, name, value) in element.attributes() {
            let lower = name.to_ascii_lowercase();
            if lower.starts_with("on") {
                return Err(format!("holds the script attribute `{name}`"));
            }
            if lower == "href" && matches!(namespace, "" | XLINK_NS) && !value.trim_start().starts_with('#') {
                return Err("refers to something outside of itself".to_owned());
            }
            if lower != "href" && loads(&value) {
                return Err(format!("has something loaded by the attribute `{name}`"));
            }
        }
    }
    Ok(())
}

/// Whether a style, or an attribute that may hold one, loads something: `url(#…)` is of the picture itself. A backslash
/// can spell any of it (CSS Syntax 3, 4.3.7).
fn loads(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let elsewhere = lower.match_indices("url(").any(|(at, found)| {
        let rest = lower.get(at + found.len()..).unwrap_or_default();
        !rest.trim_start_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'').starts_with('#')
    });
    elsewhere || ["@import", "\\", "image-set(", "javascript:", "expression("].iter().any(|word| lower.contains(word))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(inner: &str) -> Result<(), String> {
        svg(format!(r#"<?xml version="1.0" encoding="UTF-8"?><svg xmlns="{SVG_NS}" xmlns:xlink="{XLINK_NS}" viewBox="0 0 9 9">{inner}</svg>"#).as_bytes())
    }

    #[test]
    fn what_draws_is_taken() {
        for inner in [
            "",
            r##"<title>Myndigheten</title><defs><linearGradient id="a"><stop offset="0"/></linearGradient></defs>
               <g fill="url(#a)" style="fill: url( '#a' )"><path d="M0 0h9v9z"/><use xlink:href="#b" href="#b"/></g>"##,
            "<style>.a { fill: #14456f }</style><text class=\"a\">Å</text>",
        ] {
            assert_eq!(of(inner), Ok(()), "{inner}");
        }
    }

    #[test]
    fn what_runs_or_loads_is_named_and_refused() {
        for (inner, why) in [
            ("<script>alert(1)</script>", "`script`"),
            ("<g><Script/></g>", "`Script`"),
            ("<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'/></foreignObject>", "`foreignObject`"),
            ("<x:script xmlns:x='http://www.w3.org/1999/xhtml'>1</x:script>", "`script`"),
            ("<a href='https://evil.example'><path/></a>", "`a`"),
            ("<image href='https://evil.example/x.png'/>", "`image`"),
            ("<set attributeName='href' to='javascript:1'/>", "`set`"),
            ("<animate attributeName='x'/>", "`animate`"),
            ("<g onload='alert(1)'/>", "`onload`"),
            ("<g ONCLICK='alert(1)'/>", "`ONCLICK`"),
            ("<use href='https://evil.example/x.svg#a'/>", "outside"),
            ("<use xlink:href='data:image/svg+xml,x#a'/>", "outside"),
            ("<use href='javascript:alert(1)'/>", "outside"),
            ("<path style='fill: url(https://evil.example/x)'/>", "`style`"),
            ("<path style='fill: u\\72l(https://evil.example/x)'/>", "`style`"),
            ("<path fill='url( \"//evil.example\" )'/>", "`fill`"),
            ("<style>@import 'https://evil.example/x.css';</style>", "style"),
            ("<style>a { background: URL(x) }</style>", "style"),
            ("<style><g/></style>", "style"),
        ] {
            let said = of(inner).unwrap_err();
            assert!(said.contains(why), "{inner}: {said}");
        }
        let doctype = format!("<!DOCTYPE svg [<!ENTITY a 'b'>]><svg xmlns='{SVG_NS}'>&a;</svg>");
        assert!(svg(doctype.as_bytes()).unwrap_err().contains("DOCTYPE"));
        assert!(svg(b"<html/>").unwrap_err().contains("root"));
        assert!(svg(b"\x89PNG").is_err());
    }

    #[test]
    fn a_picture_is_what_its_name_says_and_small() {
        let folder = std::env::temp_dir().join(format!("grindvakt-logo-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).unwrap();
            load(&path)
        };
        assert_eq!(write("a.png", b"\x89PNG\r\n\x1a\n...").unwrap().media_type, "image/png");
        assert_eq!(write("a.JPG", b"\xff\xd8\xff\xe0").unwrap().media_type, "image/jpeg");
        assert_eq!(write("a.webp", b"RIFF....WEBPVP8 ").unwrap().media_type, "image/webp");
        assert_eq!(write("a.svg", format!("<svg xmlns='{SVG_NS}'/>").as_bytes()).unwrap().media_type, "image/svg+xml");
        for (name, bytes, why) in [
            ("b.png", &b"<svg/>"[..], "is no png"),
            ("b.svg", b"\x89PNG\r\n\x1a\n", "is no SVG"),
            ("b.gif", b"GIF89a", "must be an .svg"),
            ("b", b"x", "must be an .svg"),
        ] {
            let said = write(name, bytes).unwrap_err();
            assert!(said.contains(why), "{name}: {said}");
        }
        let large = vec![b' '; usize::try_from(LOGO_BYTES).unwrap() + 1];
        assert!(write("c.svg", &large).unwrap_err().contains("bytes; a page's picture may have"));
        assert!(load(&folder.join("none.svg")).unwrap_err().contains("cannot be read"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
