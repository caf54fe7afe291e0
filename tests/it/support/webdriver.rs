//! A client for W3C WebDriver: the dozen commands that the stories need, each with a deadline. Whatever a command
//! answers that is no success is an error with the name that the standard gives it (6.6).

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// The longest that one command may take: more than the driver's own page load timeout.
const COMMAND: Duration = Duration::from_secs(60);

/// The name under which the standard hands out an element (12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What a command answered instead of success.
#[derive(Clone, Debug)]
pub struct WebDriverError {
    /// `no such element`, `stale element reference`, …
    pub error: String,
    /// What the driver says of it.
    pub message: String,
}

impl WebDriverError {
    /// Whether trying again is of no use: the browser or its driver is gone.
    pub fn is_final(&self) -> bool {
        matches!(self.error.as_str(), "no answer" | "invalid session id" | "session not created")
    }
}

impl fmt::Display for WebDriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.message)
    }
}

/// An element of the page that is shown.
#[derive(Clone, Debug)]
pub struct Element(String);

/// A session with one browser. Whoever started it must [`close`](Self::close) it.
pub struct Session {
    driver: SocketAddr,
    id: String,
    /// What the driver says of the browser that it started.
    pub capabilities: Value,
}

impl Session {
    /// Starts a browser with these capabilities.
    pub async fn start(driver: SocketAddr, capabilities: Value) -> Result<Self, WebDriverError> {
        let body = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let mut answer = send(driver, Method::POST, "/session", Some(&body)).await?;
        let id = answer["sessionId"].as_str().expect("a session id").to_owned();
        Ok(Self { driver, id, capabilities: answer["capabilities"].take() })
    }

    async fn get(&self, what: &str) -> Result<Value, WebDriverError> {
        send(self.driver, Method::GET, &format!("/session/{}/{what}", self.id), None).await
    }

    async fn post(&self, what: &str, body: Value) -> Result<Value, WebDriverError> {
        send(self.driver, Method::POST, &format!("/session/{}/{what}", self.id), Some(&body)).await
    }

    /// Goes to an address, and waits until the page is there.
    pub async fn open(&self, url: &str) -> Result<(), WebDriverError> {
        self.post("url", json!({ "url": url })).await.map(drop)
    }

    /// The address that is shown.
    pub async fn url(&self) -> Result<String, WebDriverError> {
        self.get("url").await.map(text)
    }

    /// The page as it stands now, as HTML.
    pub async fn source(&self) -> Result<String, WebDriverError> {
        self.get("source").await.map(text)
    }

    /// The back button.
    pub async fn back(&self) -> Result<(), WebDriverError> {
        self.post("back", json!({})).await.map(drop)
    }

    /// The elements that a CSS selector finds, in order.
    pub async fn find(&self, css: &str) -> Result<Vec<Element>, WebDriverError> {
        let found = self.post("elements", json!({ "using": "css selector", "value": css })).await?;
        let found = found.as_array().cloned().unwrap_or_default();
        Ok(found.into_iter().map(|element| Element(text(element[ELEMENT].clone()))).collect())
    }

    /// The text of an element as a person sees it.
    pub async fn text(&self, element: &Element) -> Result<String, WebDriverError> {
        self.get(&format!("element/{}/text", element.0)).await.map(text)
    }

    /// An attribute as it is written.
    pub async fn attribute(&self, element: &Element, name: &str) -> Result<Option<String>, WebDriverError> {
        let value = self.get(&format!("element/{}/attribute/{name}", element.0)).await?;
        Ok(value.as_str().map(str::to_owned))
    }

    /// Presses an element in its middle, as a person does.
    pub async fn click(&self, element: &Element) -> Result<(), WebDriverError> {
        self.post(&format!("element/{}/click", element.0), json!({})).await.map(drop)
    }

    /// Presses and lets go of a key, wherever the focus is (17.4.2: letters are themselves, others have code points of
    /// their own).
    pub async fn key(&self, key: char) -> Result<(), WebDriverError> {
        let value = key.to_string();
        let steps = ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": value }));
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": steps });
        self.post("actions", json!({ "actions": [keyboard] })).await.map(drop)
    }

    /// Runs a function body in the page; `arguments` are its arguments.
    pub async fn run(&self, script: &str, arguments: &[Value]) -> Result<Value, WebDriverError> {
        self.post("execute/sync", json!({ "script": script, "args": arguments })).await
    }

    /// One command of the DevTools protocol, for what WebDriver has no word for.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Result<Value, WebDriverError> {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// Opens another tab, and goes on there. The handle of the one that was left comes back.
    pub async fn new_tab(&self) -> Result<String, WebDriverError> {
        let before = self.get("window").await.map(text)?;
        let made = self.post("window/new", json!({ "type": "tab" })).await?;
        self.tab(made["handle"].as_str().unwrap_or_default()).await?;
        Ok(before)
    }

    /// Goes on in a tab, by its handle.
    pub async fn tab(&self, handle: &str) -> Result<(), WebDriverError> {
        self.post("window", json!({ "handle": handle })).await.map(drop)
    }

    /// The cookies that the page's address would get, with what the standard calls their fields (14).
    pub async fn cookies(&self) -> Result<Vec<Value>, WebDriverError> {
        Ok(self.get("cookie").await?.as_array().cloned().unwrap_or_default())
    }

    /// What the window shows, as a PNG.
    pub async fn screenshot(&self) -> Result<Vec<u8>, WebDriverError> {
        let encoded = self.get("screenshot").await.map(text)?;
        Ok(base64_simd::STANDARD.decode_to_vec(encoded).expect("a picture in base64"))
    }
}

impl Session {
    /// Asks the driver to close the browser, and waits until it has. For `drop`, where nothing can be awaited.
    pub fn close(&self) {
        let closing = || -> std::io::Result<()> {
            let mut stream = std::net::TcpStream::connect_timeout(&self.driver, Duration::from_secs(5))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            write!(
                stream,
                "DELETE /session/{} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                self.id, self.driver
            )?;
            // The answer is one small JSON object; the driver then keeps the connection.
            let mut answer = Vec::new();
            while !answer.ends_with(b"}") {
                let mut piece = [0; 512];
                match stream.read(&mut piece)? {
                    0 => break,
                    length => answer.extend_from_slice(&piece[..length]),
                }
            }
            Ok(())
        };
        if let Err(error) = closing() {
            eprintln!("the browser was not closed in order: {error}");
        }
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

async fn send(driver: SocketAddr, method: Method, path: &str, body: Option<&Value>) -> Result<Value, WebDriverError> {
    let failed = |message: String| WebDriverError { error: "no answer".to_owned(), message };
    let exchange = async {
        let stream = TcpStream::connect(driver).await.map_err(|e| failed(e.to_string()))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| failed(e.to_string()))?;
        tokio::spawn(connection);
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", driver.to_string())
            .header("content-type", "application/json; charset=utf-8")
            .body(Full::new(body))
            .unwrap();
        let (parts, body) = sender.send_request(request).await.map_err(|e| failed(e.to_string()))?.into_parts();
        let body = body.collect().await.map_err(|e| failed(e.to_string()))?.to_bytes();
        let mut answer: Value = serde_json::from_slice(&body).map_err(|e| failed(e.to_string()))?;
        let mut value = answer["value"].take();
        if parts.status.is_success() {
            return Ok(value);
        }
        Err(WebDriverError { error: text(value["error"].take()), message: text(value["message"].take()) })
    };
    match tokio::time::timeout(COMMAND, exchange).await {
        Ok(done) => done,
        Err(_) => Err(failed(format!("{path} took longer than {COMMAND:?}"))),
    }
}
