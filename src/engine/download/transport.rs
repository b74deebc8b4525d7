//! What is asked of a hub over the network.

use std::io::Read;
use std::time::Duration;

use super::{Body, Hub, HubId, Listing, NEXT_TIME, Refusal, Token, Unheard};
use crate::engine::address::told;

/// The longest list of files that is read.
const LARGEST_LISTING: u64 = 32 << 20;
/// Redirects that are followed for one request.
const MOST_REDIRECTS: u32 = 5;
const CONNECT: Duration = Duration::from_secs(15);
/// Silence after which a connection is taken for dead.
const SILENCE: Duration = Duration::from_secs(20);

impl Hub {
    /// The files of a repository at its newest commit.
    pub(super) fn list(&self, id: &HubId) -> Result<Listing, Refusal> {
        let url = format!("{}/api/models/{}/{}/revision/main?blobs=true", self.endpoint, id.owner, id.name);
        let body = self.ask(&url, 0).map_err(|unheard| match unheard {
            Unheard::Refused(reason, remedy) => (reason, remedy),
            Unheard::Cut(reason) => {
                (reason, "check the network, or pass --offline with a model that is here".to_owned())
            }
            Unheard::Range => ("the server misunderstands".to_owned(), "check HF_ENDPOINT".to_owned()),
        })?;
        let listing = serde_json::from_reader(body.bytes.take(LARGEST_LISTING));
        listing.map_err(|error| {
            (format!("{} does not answer as a hub does: {error}", told(&self.endpoint)), "check HF_ENDPOINT".to_owned())
        })
    }

    /// The bytes of a file from `offset` on.
    pub(super) fn get(&self, url: &str, offset: u64) -> Result<Body, Unheard> {
        self.ask(url, offset)
    }

    fn ask(&self, url: &str, offset: u64) -> Result<Body, Unheard> {
        let refused = |reason: &str, remedy: &str| Unheard::Refused(reason.to_owned(), remedy.to_owned());
        let token = match &self.token {
            None => None,
            Some(Token::Usable(token)) => Some(token.as_str()),
            Some(Token::Unusable { place }) => {
                let reason = format!("the token in {place} holds characters that no request can carry");
                return Err(refused(&reason, "write nothing there but the token, in one line"));
            }
        };
        match self.follow(url, token, offset) {
            Ok(response) if response.status() == 206 => {
                let begins = response
                    .header("Content-Range")
                    .and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.trim().parse::<u64>().ok());
                match begins {
                    Some(begins) if begins == offset => Ok(Body { offset, bytes: response.into_reader() }),
                    _ => Err(Unheard::Range),
                }
            }
            Ok(response) if response.status() == 200 => Ok(Body { offset: 0, bytes: response.into_reader() }),
            Ok(response) => Err(refused(&format!("the server answers {}", response.status()), NEXT_TIME)),
            Err(ureq::Error::Status(status, _)) => Err(match status {
                416 => Unheard::Range,
                401 | 403 if token.is_none() => refused(
                    &format!("the hub does not give it to anybody ({status})"),
                    "check the name; if it is right, accept the model's terms and set HF_TOKEN",
                ),
                401 | 403 => refused(
                    &format!("the hub does not give it to the holder of this token ({status})"),
                    "accept the model's terms, or set HF_TOKEN to a token that may read it",
                ),
                404 => refused("there is neither such a path here nor such a model on the hub", "check its name"),
                429 => refused("the hub asks for patience (429)", "wait a while; what has been downloaded is kept"),
                _ => refused(&format!("the server answers {status}"), NEXT_TIME),
            }),
            Err(ureq::Error::Transport(transport)) => {
                // What is wrong with a header is told with the header, and one holds the token.
                let told = transport.message().filter(|_| transport.kind() != ureq::ErrorKind::BadHeader);
                let why = told.map_or_else(|| transport.kind().to_string(), str::to_owned);
                Err(Unheard::Cut(format!("{} cannot be reached: {why}", self.host())))
            }
        }
    }

    /// The answer to a request, redirects followed by hand: the library would pass the token on to another port of the same
    /// machine.
    #[allow(clippy::result_large_err, reason = "the error is the library's, and looked at where it is returned to")]
    fn follow(&self, url: &str, token: Option<&str>, offset: u64) -> Result<ureq::Response, ureq::Error> {
        let host = self.host();
        let near = ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| host.starts_with(name));
        let agent = ureq::AgentBuilder::new()
            .try_proxy_from_env(!near)
            .timeout_connect(CONNECT)
            .timeout_read(SILENCE)
            .redirects(0)
            .user_agent(concat!("logoscope/", env!("CARGO_PKG_VERSION")))
            .build();
        let mut url = agent.get(url).request_url()?.as_url().clone();
        let hub = url.origin();
        let mut followed = 0;
        loop {
            // Compressed bytes would not be the file's.
            let mut request = agent.request_url("GET", &url).set("Accept-Encoding", "identity");
            if let Some(token) = token.filter(|_| url.origin() == hub) {
                request = request.set("Authorization", &format!("Bearer {token}"));
            }
            if offset > 0 {
                request = request.set("Range", &format!("bytes={offset}-"));
            }
            let response = request.call()?;
            let elsewhere = match response.status() {
                301 | 302 | 303 | 307 | 308 => response.header("Location").and_then(|place| url.join(place).ok()),
                _ => None,
            };
            match elsewhere {
                Some(place) if followed < MOST_REDIRECTS => (url, followed) = (place, followed + 1),
                _ => return Ok(response),
            }
        }
    }

    /// Whom it asks, for a message: without a name or a password.
    fn host(&self) -> String {
        told(&self.endpoint).split("://").nth(1).unwrap_or_default().to_owned()
    }
}
