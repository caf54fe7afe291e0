//! How a page looks to different people: their colours, their width and zoom, their keyboard, what assistive software
//! reads to them, and what axe-core finds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::browser::Browser;

/// Keys without a letter, as WebDriver writes them (17.4.2).
pub const TAB: char = '\u{e004}';
pub const ENTER: char = '\u{e007}';
pub const SPACE: char = ' ';

/// What the system tells pages of the colours that a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    Light,
    Dark,
    /// The person's own few, in the place of every page's (Windows' contrast themes).
    Forced,
    /// The same on a dark ground.
    ForcedDark,
}

impl Colours {
    pub const ALL: [Self; 4] = [Self::Light, Self::Dark, Self::Forced, Self::ForcedDark];
}

/// How wide the window is, and how large its pixels.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub width: u32,
    pub height: u32,
    pub scale: u32,
}

/// A small telephone.
pub const NARROW: Window = Window { width: 320, height: 568, scale: 1 };
/// A window of 1280 by 1024 at a zoom of 400 %: what a zoom does is to make each pixel of the page four wide (WCAG
/// 1.4.10).
pub const ZOOMED: Window = Window { width: 320, height: 256, scale: 4 };

impl Browser {
    /// Has pages told of these colours from now on.
    pub async fn colours(&self, colours: Colours) {
        let (scheme, forced) = match colours {
            Colours::Light => ("light", "none"),
            Colours::Dark => ("dark", "none"),
            Colours::Forced => ("light", "active"),
            Colours::ForcedDark => ("dark", "active"),
        };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "forced-colors", "value": forced },
        ]);
        self.session().devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await.unwrap();
        let seen = "return [matchMedia('(prefers-color-scheme: dark)').matches, matchMedia('(forced-colors: active)').matches]";
        let seen = self.session().run(seen, &[]).await.unwrap();
        assert_eq!(seen, json!([scheme == "dark", forced == "active"]), "{colours:?}");
    }

    /// Makes the window this wide.
    pub async fn window(&self, window: Window) {
        let metrics = json!({
            "width": window.width, "height": window.height, "deviceScaleFactor": window.scale, "mobile": false,
        });
        self.session().devtools("Emulation.setDeviceMetricsOverride", metrics).await.unwrap();
        let seen = self.session().run("return [innerWidth, devicePixelRatio]", &[]).await.unwrap();
        assert_eq!(seen, json!([window.width, window.scale]));
    }

    /// What stands out of the window to the right, so that somebody would have to scroll for it: tag and text of each.
    pub async fn sticks_out(&self) -> Vec<String> {
        let script = r#"
            const out = [...document.body.querySelectorAll("*")]
                .filter(element => element.getClientRects().length && element.getBoundingClientRect().right > innerWidth + 0.5)
                .map(element => element.tagName + ": " + element.textContent.trim().slice(0, 60));
            if (document.documentElement.scrollWidth > innerWidth) out.push("the page as a whole");
            return out;"#;
        texts(&self.session().run(script, &[]).await.unwrap())
    }

    /// Presses a key.
    pub async fn key(&self, key: char) {
        self.session().key(key).await.unwrap();
    }

    /// What has the focus: its tag, with the id where it has one; and whether that can be seen.
    pub async fn focused(&self) -> (String, bool) {
        let script = r#"
            const at = document.activeElement, style = getComputedStyle(at);
            const shown = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
            return [at.tagName.toLowerCase() + (at.id ? '#' + at.id : ''), shown];"#;
        let found = self.session().run(script, &[]).await.unwrap();
        (found[0].as_str().unwrap().to_owned(), found[1].as_bool().unwrap())
    }

    /// Goes on with the keyboard alone until `css` has the focus. Everything on the way must be seen to have it.
    pub async fn tab_to(&self, css: &str) {
        self.tab(css, true).await;
    }

    /// The same on somebody else's page.
    pub async fn tab_past(&self, css: &str) {
        self.tab(css, false).await;
    }

    async fn tab(&self, css: &str, ours: bool) {
        let script = "return document.activeElement.matches(arguments[0])";
        for _ in 0..30 {
            self.key(TAB).await;
            let (what, shown) = self.focused().await;
            assert!(shown || !ours, "{what} has the focus, and nobody sees it");
            if self.session().run(script, &[json!(css)]).await.unwrap() == json!(true) {
                return;
            }
        }
        panic!("no number of tabs leads to {css}:\n{}", self.source().await);
    }

    /// What axe-core finds against WCAG 2.2, levels A and AA, and against common sense, on the page as it stands: one
    /// line for each rule, with the places.
    pub async fn accessibility(&self) -> Vec<String> {
        let folder = std::env::var("GRINDVAKT_PEERS_NPM")
            .expect("GRINDVAKT_PEERS_NPM names the folder with the npm packages; `make test` sets it");
        let axe = std::fs::read_to_string(Path::new(&folder).join("axe-core/axe.min.js")).unwrap();
        self.session().run(&axe, &[]).await.unwrap();
        let script = r#"
            const levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
            return axe.run(document, { runOnly: { type: "tag", values: levels } }).then(found => ({
                rules: found.passes.length,
                broken: found.violations.map(rule =>
                    rule.id + ": " + rule.help + ": " + rule.nodes.map(node => node.target.join(" ")).join(", ")),
            }));"#;
        let found = self.session().run(script, &[]).await.unwrap();
        assert!(found["rules"].as_u64().unwrap() > 10, "nothing was looked at: {found}");
        texts(&found["broken"])
    }

    /// What assistive software is told of the page: one line for each thing, its role, its name and its state, indented
    /// as they are within each other.
    pub async fn tree(&self) -> String {
        let session = self.session();
        session.devtools("Accessibility.enable", json!({})).await.unwrap();
        let found = session.devtools("Accessibility.getFullAXTree", json!({})).await.unwrap();
        let nodes: BTreeMap<&str, &Value> =
            found["nodes"].as_array().unwrap().iter().map(|node| (node["nodeId"].as_str().unwrap(), node)).collect();
        let root = found["nodes"].as_array().unwrap().iter().find(|node| node["parentId"].is_null()).unwrap();
        let language = self.attribute("html", "lang").await.unwrap_or_default();
        let mut out = format!("language {language}\n");
        write_node(root, &nodes, 0, "", &mut out);
        out
    }

    /// Holds the page against what is written down of it in `tests/pages`. With `GRINDVAKT_WRITE` set it is written down
    /// anew, for people to look at in a review.
    pub async fn reads_as(&self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages").join(format!("{name}.txt"));
        let tree = self.tree().await;
        if std::env::var_os("GRINDVAKT_WRITE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &tree).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == tree,
            "{} says otherwise; look at the difference, and write it down by GRINDVAKT_WRITE=1 if it is meant.\n\
             -- written down:\n{written}\n-- is:\n{tree}",
            path.display()
        );
    }

    /// Saves the whole page, as wide as the window, under `path`.
    pub async fn page_picture(&self, path: &Path) -> PathBuf {
        let size = self.session().run("return document.querySelector('.page').getBoundingClientRect().bottom", &[]);
        let height = size.await.unwrap().as_f64().unwrap().ceil();
        let width = self.session().run("return innerWidth", &[]).await.unwrap();
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let wanted = json!({ "format": "png", "clip": clip, "captureBeyondViewport": true });
        let png = self.session().devtools("Page.captureScreenshot", wanted).await.unwrap();
        let png = base64_simd::STANDARD.decode_to_vec(png["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, super::png::smaller(&png)).unwrap();
        path.to_path_buf()
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// Roles that say nothing by themselves: what is in them stands in their place.
const SILENT: [&str; 3] = ["generic", "none", "InlineTextBox"];

fn write_node(node: &Value, all: &BTreeMap<&str, &Value>, depth: usize, above: &str, out: &mut String) {
    let role = node["role"]["value"].as_str().unwrap_or_default();
    let name = steady(node["name"]["value"].as_str().unwrap_or_default());
    let ignored = node["ignored"] == json!(true);
    // A text that is the name of what it stands in has been said.
    let said = role == "StaticText" && (name.is_empty() || above == name || above.contains(name.trim()));
    let shown = !ignored && !said && !SILENT.contains(&role);
    if shown {
        let _ = write!(out, "{:width$}{role}", "", width = depth * 2);
        if !name.is_empty() {
            let _ = write!(out, " {name:?}");
        }
        for property in node["properties"].as_array().into_iter().flatten() {
            let value = &property["value"]["value"];
            let property = property["name"].as_str().unwrap_or_default();
            match property {
                "level" | "expanded" | "disabled" | "invalid" | "required" if *value != json!("false") => {
                    let _ = write!(out, " {property}={value}");
                }
                "focused" if *value == json!(true) => out.push_str(" focused"),
                _ => {}
            }
        }
        out.push('\n');
    }
    let (depth, above) = if shown { (depth + 1, name.as_str()) } else { (depth, above) };
    for id in node["childIds"].as_array().into_iter().flatten() {
        if let Some(child) = all.get(id.as_str().unwrap_or_default()) {
            write_node(child, all, depth, above, out);
        }
    }
}

/// A reference is another each time.
fn steady(name: &str) -> String {
    let is_reference =
        |word: &str| word.len() == 8 && word.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'9').contains(&b));
    name.split(' ').map(|word| if is_reference(word) { "********" } else { word }).collect::<Vec<_>>().join(" ")
}
