//! A host on the network whose faults can be set, certificates for it, a proxy in front of it, and a configuration's way
//! to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grindvakt::base::{ManualClock, UnixTime};
use grindvakt::config::Outbound;
use grindvakt::crypto::digest::{NoRandomness, Random};
use grindvakt::provider::fetch::Fetcher;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What a host does with a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Status, further header lines, body.
    Answer(u16, Vec<String>, Vec<u8>),
    /// The body without its length, in pieces.
    Chunked(Vec<u8>),
    /// The head, and then a byte every few milliseconds.
    Drip(Vec<u8>),
    /// Half of the body that was announced, and the end.
    Broken(Vec<u8>),
    /// Bytes that are no HTTP.
    Raw(Vec<u8>),
    /// Nothing, for ever.
    Silent,
    /// The connection is closed before anything is read.
    Closed,
}

impl Act {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Answer(200, Vec::new(), body.into())
    }

    pub fn ok_with(headers: &[&str], body: impl Into<Vec<u8>>) -> Self {
        Self::Answer(200, headers.iter().map(|h| (*h).to_owned()).collect(), body.into())
    }

    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }

    pub fn redirect(to: &str) -> Self {
        Self::Answer(302, vec![format!("Location: {to}")], Vec::new())
    }
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }
}

type Acts = Arc<dyn Fn(&Asked) -> Act + Send + Sync>;

/// A host. Dropped, it is gone, and its port is closed.
pub struct Remote {
    pub address: SocketAddr,
    acts: Arc<Mutex<Acts>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Connections that have ended, by whichever side.
    pub ended: Arc<Mutex<usize>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Remote {
    pub async fn start() -> Self {
        Self::with(None).await
    }

    /// With TLS, showing a certificate.
    pub async fn tls(certificate: ServerConfig) -> Self {
        Self::with(Some(TlsAcceptor::from(Arc::new(certificate)))).await
    }

    async fn with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let first: Acts = Arc::new(|_| Act::status(404));
        let acts = Arc::new(Mutex::new(first));
        let (asked, ended) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let shared = (Arc::clone(&acts), Arc::clone(&asked), Arc::clone(&ended));
        let task = tokio::spawn(async move {
            // A connection dies with its host.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, (acts, asked, ended)) = (tls.clone(), shared.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, acts, asked).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, acts, asked).await;
                            }
                        }
                    }
                    *ended.lock().unwrap() += 1;
                });
            }
        });
        Self { address, acts, asked, ended, task }
    }

    /// From now on, does this with every request.
    pub fn does(&self, act: Act) {
        self.chooses(move |_| act.clone());
    }

    /// From now on, does what `choose` says of each request.
    pub fn chooses(&self, choose: impl Fn(&Asked) -> Act + Send + Sync + 'static) {
        *self.acts.lock().unwrap() = Arc::new(choose);
    }

    /// Serves `body` with an ETag, and says "not modified" to whoever has it.
    pub fn publishes(&self, body: impl Into<Vec<u8>>, etag: &str, headers: &[&str]) {
        let (body, etag) = (body.into(), format!("\"{etag}\""));
        let headers: Vec<String> = headers.iter().map(|h| (*h).to_owned()).collect();
        self.chooses(move |asked| {
            let mut headers = headers.clone();
            headers.push(format!("ETag: {etag}"));
            if asked.header("if-none-match") == Some(etag.as_str()) {
                Act::Answer(304, headers, Vec::new())
            } else {
                Act::Answer(200, headers, body.clone())
            }
        });
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn hits(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub fn last(&self) -> Asked {
        self.asked().pop().expect("nothing was asked")
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, acts: Arc<Mutex<Acts>>, log: Arc<Mutex<Vec<Asked>>>) {
    let Some(asked) = read(&mut stream).await else { return };
    let choose = Arc::clone(&acts.lock().unwrap());
    let act = choose(&asked);
    log.lock().unwrap().push(asked);
    // Whoever asked may go at any time: that ends the connection and nothing else.
    let _ = answer(&mut stream, act).await;
    let _ = stream.shutdown().await;
}

async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), act: Act) -> std::io::Result<()> {
    let head = |status: u16, headers: &[String], length: Option<usize>| {
        let mut text = format!("HTTP/1.1 {status} X\r\n");
        for header in headers {
            text.push_str(&format!("{header}\r\n"));
        }
        if let Some(length) = length {
            text.push_str(&format!("Content-Length: {length}\r\n"));
        }
        text + "\r\n"
    };
    match act {
        Act::Answer(status, headers, body) => {
            let length = (status != 304).then_some(body.len());
            stream.write_all(head(status, &headers, length).as_bytes()).await?;
            stream.write_all(&body).await?;
        }
        Act::Chunked(body) => {
            stream.write_all(head(200, &["Transfer-Encoding: chunked".into()], None).as_bytes()).await?;
            for piece in body.chunks(1000) {
                stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
                stream.write_all(piece).await?;
                stream.write_all(b"\r\n").await?;
            }
            stream.write_all(b"0\r\n\r\n").await?;
        }
        Act::Drip(body) => {
            stream.write_all(head(200, &[], Some(body.len())).as_bytes()).await?;
            for byte in body {
                stream.write_all(&[byte]).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Act::Broken(body) => {
            stream.write_all(head(200, &[], Some(body.len())).as_bytes()).await?;
            stream.write_all(&body[..body.len() / 2]).await?;
        }
        Act::Raw(bytes) => stream.write_all(&bytes).await?,
        // Until the other side goes.
        Act::Silent => drop(stream.read(&mut [0]).await?),
        Act::Closed => {}
    }
    stream.flush().await
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(head.len() < 64 * 1024, "a head without end");
        head.push(stream.read_u8().await.ok()?);
    }
    let text = String::from_utf8(head).unwrap();
    let mut lines = text.lines();
    let line = lines.next()?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked { line, headers, body })
}

/// A forward proxy that knows where each name really is.
pub struct Proxy {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Answers CONNECT with `status`, and tunnels to `to` where that is 200.
    pub async fn start(status: u16, to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    let Some(asked) = read(&mut stream).await else { return };
                    log.lock().unwrap().push(asked);
                    stream.write_all(format!("HTTP/1.1 {status} X\r\nVia: test\r\n\r\n").as_bytes()).await.unwrap();
                    if status == 200 {
                        let mut host = TcpStream::connect(to).await.unwrap();
                        // Either side may go first.
                        let _ = copy_bidirectional(&mut stream, &mut host).await;
                    }
                });
            }
        });
        Self { address, asked, task }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Who vouches for hosts in a test.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for `name`, valid in the given years, as a server shows it.
    pub fn vouches_for(&self, name: &str, years: std::ops::Range<i32>) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap()
    }
}

/// The instant that the clocks of these tests begin at: 2026-03-01T10:00:00Z.
pub const START: UnixTime = UnixTime::from_secs(1_772_359_200);

/// Randomness without chance: what is shaken by it stays as it is.
pub struct NoChance;

impl Random for NoChance {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoRandomness> {
        out.fill(0);
        Ok(())
    }
}

/// A way out with a clock that stands still.
pub fn fetcher(outbound: &Outbound, clock: &ManualClock) -> Fetcher {
    Fetcher::new(outbound, Arc::new(clock.clone()), tokio::runtime::Handle::current()).unwrap()
}
