//! The ways in which a demo provider can be broken while it runs, so that people see what the sidecar makes of each.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::form;
use crate::serve::{Answer, connection, text};

/// How long a provider that does not answer keeps a visitor waiting.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a slow one takes: longer than a probe has patience, shorter than a person has.
const SLOWNESS: Duration = Duration::from_secs(5);

macro_rules! faults {
    ($( $(#[$doc:meta])* $variant:ident = $name:literal, $label:literal; )*) => {
        /// How a provider does.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum Fault {
            $( $(#[$doc])* $variant, )*
        }

        impl Fault {
            /// Each of them, in the order in which pages show them.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// Its name in forms and in JSON.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }

            /// One line for a page.
            pub const fn label(self) -> &'static str {
                match self { $( Self::$variant => $label, )* }
            }
        }
    };
}

faults! {
    /// It works.
    #[default]
    None = "up", "fungerar · works";
    /// Every page is an error 500.
    Error = "error", "svarar med fel 500 · answers with error 500";
    /// Nobody is there.
    Down = "down", "är nere · is down";
    /// Whoever comes is kept waiting, and gets nothing.
    Silent = "silent", "svarar inte · does not answer";
    /// Everything takes five seconds.
    Slow = "slow", "är långsam · is slow";
    /// The front page is fine, and each login ends in a technical error: in a signed answer, or at the token endpoint.
    Answers = "answers", "svarar med tekniskt fel · answers with a technical error";
    /// It signs by a key that it does not publish.
    WrongKeys = "wrong-keys", "skriver under med fel nyckel · signs by a wrong key";
    /// The front page is fine, and nobody comes back from it.
    Lost = "lost", "tappar inloggningar · loses logins";
}

impl Fault {
    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.name() == name)
    }

    /// Answers a request as a provider with this fault does. `handle` is the provider without it, and `technical` the outcome
    /// that stands for a technical error in its form. None: the connection is broken off.
    pub async fn answer(
        self,
        request: Request<Bytes>,
        technical: &str,
        handle: impl FnOnce(Request<Bytes>) -> Answer,
    ) -> Option<Answer> {
        let answers = request.method() == Method::POST && request.uri().path().ends_with("/answer");
        match self {
            Self::None => Some(handle(request)),
            Self::Error => {
                Some(text(StatusCode::INTERNAL_SERVER_ERROR, "500: leverantören är trasig, the provider is broken\n"))
            }
            Self::Down => None,
            Self::Silent => {
                tokio::time::sleep(SILENCE).await;
                None
            }
            Self::Slow => {
                tokio::time::sleep(SLOWNESS).await;
                Some(handle(request))
            }
            Self::Answers if answers => Some(handle(ends_in(request, technical))),
            Self::WrongKeys if answers => Some(handle(ends_in(request, "wrong-key"))),
            Self::Answers | Self::WrongKeys => Some(handle(request)),
            Self::Lost => {
                let leads_back = request.uri().path().ends_with("/authorize");
                let answer = (!answers).then(|| handle(request));
                let stays = answer.filter(|answer| !(leads_back && answer.status().is_redirection()));
                let lost = || text(StatusCode::GATEWAY_TIMEOUT, "Inloggningen kom bort.\nThe login was lost.\n");
                Some(stays.unwrap_or_else(lost))
            }
        }
    }
}

/// The visitor's choice, with another end where they chose a good one.
fn ends_in(request: Request<Bytes>, outcome: &str) -> Request<Bytes> {
    let (head, body) = request.into_parts();
    let fields = form::parse(&String::from_utf8_lossy(&body));
    let fields = fields.iter().map(|(name, value)| match name.as_str() {
        "outcome" if value == "success" => (name.as_str(), outcome),
        _ => (name.as_str(), value.as_str()),
    });
    Request::from_parts(head, Bytes::from(form::encode(fields)))
}

/// How one provider does, changed while it serves. Clones are one switch.
#[derive(Clone, Debug)]
pub struct Switch(watch::Sender<Fault>);

impl Default for Switch {
    fn default() -> Self {
        Self(watch::Sender::new(Fault::None))
    }
}

impl Switch {
    /// How it does.
    pub fn get(&self) -> Fault {
        *self.0.borrow()
    }

    /// Breaks it, or mends it.
    pub fn set(&self, fault: Fault) {
        self.0.send_replace(fault);
    }

    /// Serves `handler` as a provider with the switch's fault does, until the task is dropped. While it is down nobody
    /// listens, and whoever is connected is cut off.
    ///
    /// # Errors
    /// When the listener has no address.
    pub async fn serve(
        self,
        listener: TcpListener,
        technical: &'static str,
        handler: impl Fn(Request<Bytes>) -> Answer + Clone + Send + Sync + 'static,
    ) -> io::Result<()> {
        let address = listener.local_addr()?;
        let mut changes = self.0.subscribe();
        let mut listening = Some(listener);
        loop {
            let Some(listener) = listening.take() else {
                // Nobody changes it any more where this fails, and then the task is about to be dropped.
                let _ = changes.wait_for(|fault| *fault != Fault::Down).await;
                listening = Some(listen(address).await);
                continue;
            };
            let mut until = changes.clone();
            tokio::select! {
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        let (switch, handler, mut cut) = (self.clone(), handler.clone(), changes.clone());
                        tokio::spawn(async move {
                            let answer = move |request| {
                                let (fault, handler) = (switch.get(), handler.clone());
                                async move { fault.answer(request, technical, handler).await }
                            };
                            tokio::select! {
                                () = connection(stream, answer) => {}
                                _ = cut.wait_for(|fault| *fault == Fault::Down) => {}
                            }
                        });
                    }
                    listening = Some(listener);
                }
                _ = until.wait_for(|fault| *fault == Fault::Down) => drop(listener),
            }
        }
    }
}

/// Listens at an address that was ours, as soon as it is free.
async fn listen(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::browser::Browser;
    use crate::serve::bind;

    /// What a provider with a fault makes of `path`: its status, and what its handler was told.
    async fn made_of(fault: Fault, method: Method, path: &str, body: &str) -> Option<(StatusCode, String)> {
        let request = Request::builder().method(method).uri(path).body(Bytes::from(body.to_owned())).unwrap();
        let mut told = String::new();
        let answer = fault.answer(request, "provider-error", |request| {
            told = String::from_utf8_lossy(request.body()).into_owned();
            text(if path == "/authorize?x" { StatusCode::SEE_OTHER } else { StatusCode::OK }, "")
        });
        let status = answer.await.map(|answer| answer.status());
        status.map(|status| (status, told))
    }

    #[tokio::test]
    async fn each_fault_breaks_what_it_says_and_nothing_else() {
        let (good, cancel) = ("person=0&outcome=success", "person=0&outcome=cancel");
        let ok = |told: &str| Some((StatusCode::OK, told.to_owned()));
        let lost = Some((StatusCode::GATEWAY_TIMEOUT, String::new()));
        for (fault, front, answered, cancelled, led_back) in [
            (Fault::None, ok(""), ok(good), ok(cancel), Some((StatusCode::SEE_OTHER, String::new()))),
            (Fault::Down, None, None, None, None),
            (
                Fault::Answers,
                ok(""),
                ok("person=0&outcome=provider-error"),
                ok(cancel),
                Some((StatusCode::SEE_OTHER, String::new())),
            ),
            (
                Fault::WrongKeys,
                ok(""),
                ok("person=0&outcome=wrong-key"),
                ok(cancel),
                Some((StatusCode::SEE_OTHER, String::new())),
            ),
            (Fault::Lost, ok(""), lost.clone(), lost.clone(), lost.clone()),
        ] {
            assert_eq!(made_of(fault, Method::GET, "/sso?x", "").await, front, "{fault:?}");
            assert_eq!(made_of(fault, Method::POST, "/answer", good).await, answered, "{fault:?}");
            assert_eq!(made_of(fault, Method::POST, "/answer", cancel).await, cancelled, "{fault:?}");
            assert_eq!(made_of(fault, Method::GET, "/authorize?x", "").await, led_back, "{fault:?}");
            assert_eq!(Fault::parse(fault.name()), Some(fault));
        }
        let (began, slow) = (std::time::Instant::now(), made_of(Fault::Slow, Method::POST, "/answer", good).await);
        assert!(slow == ok(good) && began.elapsed() >= SLOWNESS);
        let error = made_of(Fault::Error, Method::GET, "/sso", "").await.unwrap();
        assert_eq!(error.0, StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[tokio::test]
    async fn what_is_down_is_not_there_and_comes_back_at_its_address() {
        let listener = bind(0).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let switch = Switch::default();
        let serving = tokio::spawn(switch.clone().serve(listener, "", |_| text(StatusCode::OK, "here")));
        assert!(Browser::new().open(&url).await.is_ok());
        for _ in 0..3 {
            switch.set(Fault::Down);
            let gone = async { while Browser::new().open(&url).await.is_ok() {} };
            tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
            switch.set(Fault::None);
            let back = async { while Browser::new().open(&url).await.is_err() {} };
            tokio::time::timeout(Duration::from_secs(5), back).await.unwrap();
        }
        serving.abort();
    }
}
