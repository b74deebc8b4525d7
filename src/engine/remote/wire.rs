//! One request over the wire: what goes wrong on it, told apart by what can be done about it.
//!
//! Invariants:
//! * No answer takes more memory than [`LONGEST_LINE`] and [`LONGEST_ANSWER`] allow, whatever a server sends.
//! * The key goes to the server that was named and to no other: no redirect is followed. What a server repeats of it is told
//!   by nothing in here: all its words pass through a [`Secret`].
//! * Nothing is asked twice in here; who asks again says so.

use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::types::stream::StreamResponse;
use futures_util::StreamExt;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Body, Response, StatusCode, Url};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::patience::{Patience, TICK};
use super::reply::{Chunk, Models};
use super::secret::Secret;
use crate::engine::address::{Address, KEY_VARIABLE};
use crate::engine::stdio::ENGINE_THREAD_PREFIX;

/// Bytes of a line that a server may send.
const LONGEST_LINE: usize = 1 << 20;
/// Bytes of an answer, all its lines together.
const LONGEST_ANSWER: usize = 16 << 20;
/// What a server says last, in an event of its own.
const DONE: &[u8] = b"data:[DONE]";
/// Bytes of a refusal that are read.
const LONGEST_REFUSAL: usize = 64 << 10;

/// What went wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nobody wants the answer any more.
    Cancelled,
    /// The connection; it may come back.
    Lost(String),
    /// The server cannot answer now, and says perhaps when.
    Busy { status: u16, reason: String, after: Option<Duration> },
    /// The server will not answer this.
    Refused { status: u16, reason: String },
    /// What it says cannot be understood.
    Garbled(String),
}

/// What prompts are sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A prompt is continued.
    Completions,
    /// A message is replied to.
    Chat,
}

impl Endpoint {
    /// As it is told.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Completions => "completions",
            Self::Chat => "chat",
        }
    }
}

/// A question as it goes over the wire.
#[derive(Debug, Clone)]
pub(super) struct Question<'a> {
    pub endpoint: Endpoint,
    pub model: &'a str,
    pub prompt: &'a str,
    pub max_tokens: usize,
    pub stop: &'a [String],
    /// Sampling's temperature; at 0 the most probable token is taken.
    pub temperature: f64,
    /// How many of the most probable tokens are to be reported.
    pub tops: usize,
    /// Whether the server is to count tokens.
    pub usage: bool,
}

impl Question<'_> {
    fn body(&self) -> Value {
        let mut body = json!({
            "model": self.model, "max_tokens": self.max_tokens, "temperature": self.temperature, "stream": true,
        });
        match self.endpoint {
            Endpoint::Completions => body["prompt"] = self.prompt.into(),
            Endpoint::Chat => body["messages"] = json!([{"role": "user", "content": self.prompt}]),
        }
        if !self.stop.is_empty() {
            body["stop"] = json!(self.stop);
        }
        if self.usage {
            body["stream_options"] = json!({"include_usage": true});
        }
        match (self.tops, self.endpoint) {
            (0, _) => {}
            (tops, Endpoint::Completions) => body["logprobs"] = tops.into(),
            (tops, Endpoint::Chat) => {
                body["logprobs"] = true.into();
                body["top_logprobs"] = tops.into();
            }
        }
        body
    }
}

/// What went wrong below the client, which tells of it in its own words only; and what nobody may be told.
struct Notes {
    fault: Mutex<Option<Fault>>,
    /// Whether the server has said that its answer is whole.
    whole: AtomicBool,
    secret: Secret,
}

type Noted = Arc<Notes>;

impl Notes {
    fn note(&self, fault: Fault) -> OpenAIError {
        let told = format!("{fault:?}");
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
        OpenAIError::InvalidArgument(told)
    }
}

/// What moves bytes while nobody waits for them: one thread, gone with the last who needs it.
struct Mover(Option<Runtime>);

impl Drop for Mover {
    fn drop(&mut self) {
        // Its own way of ending would wait for connections.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The way to one server.
#[derive(Clone)]
pub(super) struct Wire {
    http: reqwest::Client,
    config: OpenAIConfig,
    keyed: bool,
    secret: Secret,
    mover: Arc<Mover>,
    pub(super) patience: Patience,
}

/// An answer on its way.
pub(super) struct Reply {
    stream: StreamResponse<Chunk>,
    noted: Noted,
    /// Whether some event was part of an answer, and whether some was not.
    spoke: bool,
    hummed: bool,
}

impl Reply {
    /// Whether the server has said that there is no more of it.
    pub(super) fn is_whole(&self) -> bool {
        self.noted.whole.load(Ordering::Relaxed)
    }

    /// The next event that is part of an answer.
    async fn part(&mut self) -> Option<Result<Chunk, OpenAIError>> {
        loop {
            match self.stream.next().await {
                Some(Ok(chunk)) if chunk.is_silent() => self.hummed = true,
                next => {
                    self.spoke |= next.is_some();
                    return next;
                }
            }
        }
    }
}

impl Wire {
    /// A way to `address`, proven with `key`; where there is none, why, and what to do about it.
    pub(super) fn new(address: &Address, key: Option<&str>, patience: Patience) -> Result<Self, (String, String)> {
        if key.is_some_and(|key| HeaderValue::from_str(&format!("Bearer {key}")).is_err()) {
            let reason = "the key holds characters that no request can carry".to_owned();
            return Err((reason, format!("set {KEY_VARIABLE} to the server's key")));
        }
        // What reads addresses for requests knows best what a host is.
        if let Err(error) = Url::parse(&address.base) {
            return Err((format!("no request can go there ({error})"), "see that the address is right".to_owned()));
        }
        let refused = |reason| (reason, "see that this system is well, then ask again".to_owned());
        let mut http = reqwest::Client::builder()
            .connect_timeout(patience.connect)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("logoscope/", env!("CARGO_PKG_VERSION")));
        if address.is_here() {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| refused(cause(&error, &Secret::default())))?;
        let config = OpenAIConfig::new()
            .with_api_base(&address.base)
            .with_api_key(key.unwrap_or_default())
            // What the environment says of them is meant for one provider.
            .with_org_id("")
            .with_project_id("");
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(format!("{ENGINE_THREAD_PREFIX}remote"))
            .enable_all()
            .build()
            .map_err(|error| refused(format!("the system refused a thread: {error}")))?;
        let mover = Arc::new(Mover(Some(runtime)));
        Ok(Self { http, config, keyed: key.is_some(), secret: Secret::new(key), mover, patience })
    }

    /// A client whose requests note what goes wrong.
    fn client(&self, expected: &'static str) -> (Client<OpenAIConfig>, Noted) {
        let noted =
            Arc::new(Notes { fault: Mutex::default(), whole: AtomicBool::new(false), secret: self.secret.clone() });
        let (http, keyed, notes) = (self.http.clone(), self.keyed, Arc::clone(&noted));
        let send = move |factory: HttpRequestFactory| {
            let (http, notes) = (http.clone(), Arc::clone(&notes));
            async move {
                let mut request = factory.build().await?;
                match request.headers_mut().get_mut(AUTHORIZATION) {
                    Some(key) if keyed => key.set_sensitive(true),
                    _ => drop(request.headers_mut().remove(AUTHORIZATION)),
                }
                let lost = |error: reqwest::Error| notes.note(fault_of(&error, &notes.secret));
                let response = http.execute(request).await.map_err(lost)?;
                if !response.status().is_success() {
                    let fault = refusal(response, &notes.secret).await;
                    return Err(notes.note(fault));
                }
                let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                if let Some(kind) = kind.filter(|kind| !kind.starts_with(expected)) {
                    let kind = notes.secret.told(kind);
                    return Err(notes.note(Fault::Garbled(format!("it sends {kind} instead of {expected}"))));
                }
                bounded(response, notes)
            }
        };
        (Client::with_config(self.config.clone()).with_http_service(tower::service_fn(send)), noted)
    }

    /// Waits for `work`, as long as `limit` and while somebody wants it.
    fn wait<T>(&self, work: impl Future<Output = T>, limit: Duration, wanted: &dyn Fn() -> bool) -> Result<T, Fault> {
        // It is there as long as this is.
        let Some(runtime) = &self.mover.0 else { return Err(Fault::Cancelled) };
        runtime.block_on(async {
            let mut work = pin!(work);
            let begun = Instant::now();
            loop {
                if !wanted() {
                    return Err(Fault::Cancelled);
                }
                if self.patience.clock.is_over(begun, limit) {
                    return Err(Fault::Lost(format!("no word from it for {:.0} s", limit.as_secs_f64())));
                }
                if let Ok(done) = tokio::time::timeout(TICK, &mut work).await {
                    return Ok(done);
                }
            }
        })
    }

    /// The models that the server has.
    pub(super) fn models(&self, wanted: &dyn Fn() -> bool) -> Result<Models, Fault> {
        let (client, noted) = self.client("application/json");
        let models = client.models();
        let listed = self.wait(models.list_byot::<Models>(), self.patience.first, wanted)?;
        listed.map_err(|error| fault(&noted, &error))
    }

    /// Asks, and waits for the beginning of the answer.
    pub(super) fn ask(&self, question: &Question, wanted: &dyn Fn() -> bool) -> Result<Reply, Fault> {
        let (client, noted) = self.client("text/event-stream");
        let body = question.body();
        let first = self.patience.first;
        let stream = match question.endpoint {
            Endpoint::Completions => {
                let asked = client.completions();
                self.wait(asked.create_stream_byot::<Value, Chunk>(body), first, wanted)?
            }
            Endpoint::Chat => {
                let asked = client.chat();
                self.wait(asked.create_stream_byot::<Value, Chunk>(body), first, wanted)?
            }
        };
        let stream = stream.map_err(|error| fault(&noted, &error))?;
        Ok(Reply { stream, noted, spoke: false, hummed: false })
    }

    /// The next event of an answer; `None` at its end.
    pub(super) fn next(
        &self,
        reply: &mut Reply,
        limit: Duration,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Option<Chunk>, Fault> {
        match self.wait(reply.part(), limit, wanted)? {
            None if reply.is_whole() && reply.hummed && !reply.spoke => {
                Err(Fault::Garbled("no event of its answer has choices".into()))
            }
            None => Ok(None),
            Some(Err(error)) => Err(fault(&reply.noted, &error)),
            Some(Ok(Chunk { error: Some(error), .. })) => {
                let said =
                    error.get("message").and_then(Value::as_str).map_or_else(|| error.to_string(), str::to_owned);
                Err(Fault::Garbled(format!("it gave up in the middle: {}", self.secret.told(&said))))
            }
            Some(Ok(chunk)) => Ok(Some(chunk)),
        }
    }
}

/// What went wrong: what was noted below the client, else what the client says.
fn fault(noted: &Noted, error: &OpenAIError) -> Fault {
    if let Some(fault) = noted.fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return fault;
    }
    let told = |words: &str| noted.secret.told(words);
    match error {
        OpenAIError::Reqwest(error) => fault_of(error, &noted.secret),
        OpenAIError::JSONDeserialize(error, content) => {
            Fault::Garbled(format!("it sends what is no answer ({}): {:?}", told(&error.to_string()), told(content)))
        }
        OpenAIError::ApiError(refused) => {
            Fault::Refused { status: refused.status_code.as_u16(), reason: told(&refused.api_error.message) }
        }
        error => Fault::Garbled(told(&error.to_string())),
    }
}

/// The last word of a chain of errors: what the system or the other side said.
fn cause(error: &reqwest::Error, secret: &Secret) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    secret.told(&last.to_string())
}

fn fault_of(error: &reqwest::Error, secret: &Secret) -> Fault {
    let mut source = error.source();
    while let Some(inner) = source {
        let kind = inner.downcast_ref::<io::Error>().map(io::Error::kind);
        let reason = match kind {
            Some(io::ErrorKind::ConnectionRefused) => Some("connection refused"),
            Some(io::ErrorKind::ConnectionReset) => Some("connection lost (reset by peer)"),
            Some(io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) => Some("connection lost (closed by peer)"),
            _ => None,
        };
        if let Some(reason) = reason {
            return Fault::Lost(reason.to_owned());
        }
        source = inner.source();
    }
    let why = cause(error, secret);
    if why.contains("certificate") {
        return Fault::Refused { status: 0, reason: format!("its certificate is of no use ({why})") };
    }
    if error.is_builder() {
        return Fault::Refused { status: 0, reason: format!("no request can be made of this ({why})") };
    }
    if error.is_connect() && error.is_timeout() {
        return Fault::Lost("no connection in time".to_owned());
    }
    Fault::Lost(if error.is_connect() { format!("no connection ({why})") } else { format!("connection lost ({why})") })
}

/// What a refusal says.
async fn refusal(response: Response, secret: &Secret) -> Fault {
    let status = response.status();
    let after = retry_after(response.headers());
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(Ok(piece)) = pieces.next().await {
        body.extend_from_slice(&piece[..piece.len().min(LONGEST_REFUSAL - body.len())]);
        if body.len() >= LONGEST_REFUSAL {
            break;
        }
    }
    let said = match serde_json::from_slice::<Value>(&body) {
        Ok(said) => ["/error/message", "/message", "/detail", "/error"]
            .iter()
            .find_map(|place| said.pointer(place)?.as_str().map(str::to_owned))
            .unwrap_or_else(|| said.to_string()),
        Err(_) => String::from_utf8_lossy(&body).into_owned(),
    };
    let word = status.canonical_reason().unwrap_or("no reason given").to_lowercase();
    let said = said.trim();
    let reason = match (status.as_u16(), said) {
        (number, "") => format!("{number} {word}"),
        (number, said) => format!("{number} {word}: {}", secret.told(said)),
    };
    let again = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS].contains(&status)
        || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED);
    match again {
        true => Fault::Busy { status: status.as_u16(), reason, after },
        false => Fault::Refused { status: status.as_u16(), reason },
    }
}

/// What a server asks for in whole seconds; a date is not heeded.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Looks for the last event among the bytes of an answer: the client ends in silence there, and where the bytes end too.
#[derive(Default)]
struct Last {
    /// The beginning of the line at hand, without spaces.
    line: Vec<u8>,
}

impl Last {
    /// Whether a line says so with `part`, which goes no further than to its end.
    fn is(&mut self, part: &[u8]) -> bool {
        let room = DONE.len() + 1 - self.line.len();
        self.line.extend(part.iter().filter(|byte| !byte.is_ascii_whitespace()).take(room));
        let last = self.line == DONE;
        if part.ends_with(b"\n") {
            self.line.clear();
        }
        last
    }
}

/// The response, cut where a line or the whole of it is too long.
fn bounded(response: Response, noted: Noted) -> Result<Response, OpenAIError> {
    let mut head = http::Response::builder().status(response.status());
    if let Some(headers) = head.headers_mut() {
        *headers = response.headers().clone();
    }
    let (mut line, mut whole, mut last) = (0, 0, Last::default());
    let pieces = response.bytes_stream().map(move |piece| {
        let piece = piece.map_err(|error| io::Error::other(noted.note(fault_of(&error, &noted.secret))))?;
        whole += piece.len();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            line += part.len();
            if line > LONGEST_LINE || whole > LONGEST_ANSWER {
                let reason =
                    format!("its answer has no end: more than {} MiB", if line > LONGEST_LINE { 1 } else { 16 });
                return Err(io::Error::other(noted.note(Fault::Garbled(reason))));
            }
            if last.is(part) {
                noted.whole.store(true, Ordering::Relaxed);
            }
            if part.ends_with(b"\n") {
                line = 0;
            }
        }
        Ok(piece)
    });
    let body = Body::wrap_stream(pieces);
    head.body(body).map(Response::from).map_err(|error| OpenAIError::InvalidArgument(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_is_seen_however_its_bytes_come() {
        let seen = |pieces: &[&str]| {
            let mut last = Last::default();
            let parts = pieces.iter().flat_map(|piece| piece.split_inclusive('\n'));
            // All of them are read, also behind the end.
            parts.filter(|part| last.is(part.as_bytes())).count() > 0
        };
        assert!(seen(&["data: {}\n\ndata: [DONE]\n\n"]));
        assert!(seen(&["data: {}\r\n\r\nda", "ta:[DO", "NE]\r", "\n"]));
        assert!(!seen(&["data: {\"text\": \"[DONE]\"}\n\n", "data: [DONE", "\n", "data: [DONE]x\n", "[DONE]\n"]));
    }
}
